"""Tasks that read external networks and their data, and the reading of any network.

Tasks import what they need inside, so that a run from the cache does not load torch."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lisor.alphabet import Alphabet
from lisor.errors import ModelError
from lisor.settings.symbols import SymbolsSettings
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.user_code import describe_build

if TYPE_CHECKING:
    from lisor.networks.external.reading import Meaning
    from lisor.networks.network import Network

ABOUT = "model.json"
WEIGHTS = "weights.safetensors"
EXTERNAL = "external"
"""The schema of a network that was trained elsewhere."""
DIVERGED = "diverged"
"""The schema of a network whose training diverged."""


@dataclass(frozen=True, kw_only=True)
class NetworkRef:
    """A reference to a network, and what the settings of the run say it is.

    `made_by` is the name of a cell, or package.module:callable of an external network. Nothing else
    is built, whatever the artifact names."""

    model: Ref
    made_by: str


@cached("dataset", name="read {data.path}")
def read_sequences(
    folder: Path,
    data: Source,
    build: str,
    source: Source,
    weights: Source | None,
    settings: SymbolsSettings,
    built: str | None = None,
) -> None:
    """A dataset of a user's sequences of symbols. If they have no labels, the network's predictions
    are the labels.

    `built` is the digest of what the build makes by itself, where no file has its weights.

    If the settings give no order of the classes, it is the order by which the network is right far
    more often, if there is one."""
    from lisor.data import labels as data_labels
    from lisor.data import symbols
    from lisor.data.dataset import Dataset, Split
    from lisor.data.splits import split_external
    from lisor.data.tables import unread
    from lisor.errors import DataError, DataWarning
    from lisor.networks.external import builds
    from lisor.networks.external.adapt import adapt
    from lisor.networks.external.adapter import check_guessed
    from lisor.networks.external.class_order import find_better_order, find_idle
    from lisor.networks.trained import TrainedModel
    from lisor.registry import TARGETS

    table = symbols.read_table(Path(data.path))
    words, alphabet = symbols.number(table["symbols"], settings.order)
    notes = list[str](table.attrs.get("notes", ()))
    labels, classes, named = None, settings.classes, None
    given = [name for name in (symbols.LABEL, symbols.LABELS) if name in table]
    if given:
        target = "class" if given[0] == symbols.LABEL else "step"
        named = symbols.labels_of(table, target)
        labels, classes = data_labels.number_labels(named, settings.classes)
    external = builds.load(build, None if weights is None else Path(weights.path))
    rows = split_external(table, sizes=settings.sizes, seed=settings.seed)
    if settings.target is not None:
        network = adapt(external, alphabet, meaning=_meaning(settings))
        if settings.order is None:
            check_guessed(network)
        notes += unread(table, {symbols.LABEL, symbols.LABELS}, settings.target)
        for note in notes:
            warnings.warn(note, DataWarning, stacklevel=2)
        parts = {name: words.select(index) for name, index in rows.items()}
        replace(Dataset.of_next(alphabet, parts), notes=tuple(notes)).write(folder)
        return
    has_names = isinstance(external, TrainedModel)  # of classes, which stay
    network = adapt(external, alphabet)
    if named is not None and network.target != target:
        column = {"class": symbols.LABEL, "step": symbols.LABELS}[network.target]
        raise DataError(
            f"expected a column {column!r}, since {network.name} answers once a "
            f"{TARGETS[network.target].position}, got {given[0]!r}; rename it or leave it out"
        )
    if classes is not None and not has_names:
        network = adapt(external, alphabet, classes)
    if settings.order is None:
        check_guessed(network)
    predictions = network.predict(words).argmax(axis=1)
    if labels is None:
        labels = predictions
        notes.append(
            "the sequences have no labels: the network's predictions are used as labels, "
            "and accuracy is fidelity"
        )
    order = find_better_order(labels, predictions, len(network.classes))
    if order is not None and settings.classes is None and not has_names:
        notes.append(
            f"{order.described(network.classes)}: "
            "that is taken; dataset.classes (--classes) decides"
        )
        labels, classes = data_labels.number_labels(named, order.names(network.classes))
        network = adapt(external, alphabet, classes)
    elif order is not None:
        notes.append(f"{order.described(network.classes)}; look at dataset.classes (--classes)")
    elif (idle := find_idle(labels, predictions, network.classes)) is not None:
        notes.append(f"{idle}; was it trained, and are its weights loaded (--weights)?")
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    whole = Split(sequences=words, labels=labels, target=network.target)
    splits = {name: whole.select(index) for name, index in rows.items()}
    Dataset(alphabet=alphabet, classes=network.classes, splits=splits, notes=tuple(notes)).write(
        folder
    )


def _meaning(settings: SymbolsSettings) -> Meaning:
    """What the outputs of an external network are read as."""
    from lisor.networks.external.reading import Meaning

    return Meaning(target=settings.target, begin=settings.begin, end=settings.end)


@cached("model", name="adapt {build}")
def adapt_network(
    folder: Path,
    data: Ref,
    build: str,
    source: Source,
    weights: Source | None,
    settings: SymbolsSettings,
    built: str | None = None,
) -> None:
    """An external network: its weights, how it is built, its alphabet, its classes and what its
    outputs mean.

    `built` is as in `read_sequences`."""
    from safetensors.torch import save
    from torch import Tensor, nn

    from lisor.networks.external import builds
    from lisor.networks.external.adapt import adapt

    dataset = read_dataset(data)
    external = builds.load(build, None if weights is None else Path(weights.path))
    meaning = _meaning(settings)
    network = adapt(external, dataset.alphabet, dataset.classes, meaning=meaning)
    state = external.state_dict() if isinstance(external, nn.Module) else {}
    if state and all(isinstance(value, Tensor) for value in state.values()):
        (folder / WEIGHTS).write_bytes(
            save({name: value.clone().contiguous() for name, value in state.items()})
        )
    about = {
        "schema": EXTERNAL,
        "architecture": {
            "build": build,
            "layers": network.layers,
            "hidden_size": network.sizes[0],
            "target": network.target,
        },
        "source": source.sha256,
        "alphabet": network.alphabet.to_json(),
        "classes": network.classes,
        "meaning": asdict(meaning),
        "seed": 0,
        "history": {},
        "restarts": 0,
    }
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def write_diverged(folder: Path) -> None:
    """Write in place of a network that its training diverged."""
    (folder / ABOUT).write_text(json.dumps({"schema": DIVERGED}), encoding="utf-8")


def has_diverged(ref: Ref) -> bool:
    """Whether the training of a network diverged."""
    return bool(read_about(ref)["schema"] == DIVERGED)


def read_about(ref: Ref) -> dict[str, Any]:
    """What is known about a network without building it: seed, history, restarts, …"""
    about: dict[str, Any] = json.loads((open_artifact(ref) / ABOUT).read_text(encoding="utf-8"))
    return about


def read_network(network: NetworkRef) -> Network:
    """The network of a reference, trained here or external.

    Raises:
        ModelError: it is not the one that the settings name, or the source of an external network
            has changed since the run began."""
    from lisor.networks.external import builds
    from lisor.networks.external.adapt import adapt
    from lisor.networks.external.reading import Meaning
    from lisor.networks.trained import TrainedModel

    about, folder = read_about(network.model), open_artifact(network.model)
    stored = about["architecture"]["cell" if about["schema"] != EXTERNAL else "build"]
    if stored != network.made_by:
        raise ModelError(
            f"expected a network made by {network.made_by}, as the settings say, "
            f"got one made by {stored}"
        )
    if about["schema"] != EXTERNAL:
        return TrainedModel.read(folder)
    if describe_build(network.made_by).sha256 != about["source"]:
        raise ModelError(
            f"the source of {network.made_by} has changed since the run began; run it again"
        )
    weights = folder / WEIGHTS
    built = builds.load(network.made_by, weights if weights.exists() else None)
    alphabet, classes = Alphabet.from_json(about["alphabet"]), tuple(about["classes"])
    return adapt(built, alphabet, classes, meaning=Meaning(**about.get("meaning", {})))
