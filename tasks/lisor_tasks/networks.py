"""Tasks that bring networks along which were not trained here, and the reading of either kind.

What a task runs is imported inside it, so that a run answered from the cache need not load torch."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lisor.config import DatasetConfig
from lisor.errors import ModelError
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.user_code import describe_build

if TYPE_CHECKING:
    from lisor.rnn.network import Network

ABOUT = "model.json"
WEIGHTS = "weights.safetensors"
BROUGHT = "brought"
"""What stands in place of a schema where a network was not trained here."""
DIVERGED = "diverged"
"""What stands in place of a schema where training came to nothing."""


@dataclass(frozen=True, kw_only=True)
class NetworkRef:
    """A reference to a network, and what the run's own settings say that it is: `made_by` is the name of a cell, or
    package.module:callable of an external network. Nothing else is built, whatever the artifact says of itself."""

    model: Ref
    made_by: str


@cached("dataset", name="read {data.path}")
def read_sequences(
    folder: Path, data: Source, build: str, source: Source, weights: Source | None, config: DatasetConfig
) -> None:
    """A data set of a user's sequences of symbols; where they have no labels, the network's own answers are those.

    Where the settings give no order of the classes, it is that by which the network is right far more often, if any."""
    from lisor.data import symbols
    from lisor.data.dataset import Dataset, Split
    from lisor.errors import DataWarning
    from lisor.rnn import builds
    from lisor.rnn.adapters import adapt, check_guessed
    from lisor.rnn.class_order import find_better_order
    from lisor.rnn.classifier import TrainedModel

    table = symbols.read_table(Path(data.path))
    words, vocabulary = symbols.number(table["symbols"], config.order)
    notes, labels, classes = list[str](table.attrs.get("notes", ())), None, config.classes
    if "label" in table:
        labels, classes = symbols.number_labels(table["label"], config.classes)
    external = builds.load(build, None if weights is None else Path(weights.path))
    has_names = isinstance(external, TrainedModel)  # of classes, which stay
    network = adapt(external, vocabulary, None if has_names else classes)
    if config.order is None:
        check_guessed(network)
    answers = network.predict(words).argmax(axis=1)
    if labels is None:
        labels = answers
        notes.append(
            "the sequences have no labels: the network's answers stand for the truth, and accuracy is fidelity"
        )
    order = find_better_order(labels, answers, len(network.classes))
    if order is not None and config.classes is None and not has_names:
        notes.append(f"{order.described(network.classes)}: that is taken; dataset.classes (--classes) decides")
        labels, classes = symbols.number_labels(table["label"], order.names(network.classes))
        network = adapt(external, vocabulary, classes)
    elif order is not None:
        notes.append(f"{order.described(network.classes)}; look at dataset.classes (--classes)")
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    rows = symbols.assign_splits(table, sizes=config.sizes, seed=config.seed)
    splits = {name: Split(sequences=words.select(some), labels=labels[some]) for name, some in rows.items()}
    Dataset(vocabulary=vocabulary, classes=network.classes, splits=splits, notes=tuple(notes)).write(folder)


@cached("model", name="bring {build}")
def bring_network(folder: Path, data: Ref, build: str, source: Source, weights: Source | None) -> None:
    """A network that was not trained here: its weights, how it is built, and what it reads and answers."""
    from safetensors.torch import save

    from lisor.rnn import builds
    from lisor.rnn.adapters import adapt

    dataset = read_dataset(data)
    network = adapt(
        builds.load(build, None if weights is None else Path(weights.path)), dataset.vocabulary, dataset.classes
    )
    if weights is not None:
        read = builds.read_weights(Path(weights.path))
        (folder / WEIGHTS).write_bytes(save({name: value.clone().contiguous() for name, value in read.items()}))
    about = {
        "schema": BROUGHT,
        "architecture": {"build": build, "layers": network.layers, "hidden_size": network.state_size},
        "source": source.sha256,
        "vocabulary": network.vocabulary,
        "classes": network.classes,
        "seed": 0,
        "history": {},
        "restarts": 0,
        "unknown": None,
        "tokenizer": None,
    }
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def write_diverged(folder: Path) -> None:
    """Say in a network's place that its training came to nothing."""
    (folder / ABOUT).write_text(json.dumps({"schema": DIVERGED}), encoding="utf-8")


def has_diverged(ref: Ref) -> bool:
    """Whether the training of a network came to nothing."""
    return bool(read_about(ref)["schema"] == DIVERGED)


def read_about(ref: Ref) -> dict[str, Any]:
    """What is known of a network without building it: seed, history, restarts, tokenizer, …"""
    about: dict[str, Any] = json.loads((open_artifact(ref) / ABOUT).read_text(encoding="utf-8"))
    return about


def read_network(network: NetworkRef) -> Network:
    """The network behind a reference, trained here or external.

    Raises:
        ModelError: it is another than the settings of the run name, or the source of an external network has changed
            since the run began."""
    from lisor.rnn import builds
    from lisor.rnn.adapters import adapt
    from lisor.rnn.classifier import TrainedModel

    about, folder = read_about(network.model), open_artifact(network.model)
    stored = about["architecture"]["cell" if about["schema"] != BROUGHT else "build"]
    if stored != network.made_by:
        raise ModelError(f"expected a network made by {network.made_by}, as the settings say, got one made by {stored}")
    if about["schema"] != BROUGHT:
        return TrainedModel.read(folder)
    if describe_build(network.made_by).sha256 != about["source"]:
        raise ModelError(f"the source of {network.made_by} has changed since the run began; run it again")
    weights = folder / WEIGHTS
    built = builds.load(network.made_by, weights if weights.exists() else None)
    return adapt(built, tuple(about["vocabulary"]), tuple(about["classes"]))
