"""Tasks that bring networks along which were not trained here, and the reading of either kind.

What a task runs is imported inside it, so that a run answered from the cache need not load torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lisor.config import DatasetConfig
from lisor.errors import ModelError
from lisor_tasks.artifacts import Ref, Source, describe_source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.keys import read_code

if TYPE_CHECKING:
    from lisor.rnn.network import Network

ABOUT = "model.json"
WEIGHTS = "weights.safetensors"
BROUGHT = "brought"
"""What stands in place of a schema where a network was not trained here."""
DIVERGED = "diverged"
"""What stands in place of a schema where training came to nothing."""


ADAPTING = ("lisor.rnn.adapters", "lisor.rnn.modules", "lisor.rnn.stepped", "lisor.rnn.builds")
"""The modules whose code decides what is made of a network that was brought along."""


@cached("dataset", "lisor.data.symbols", *ADAPTING, name="read {data.path}", without=["config.symbols"])
def read_sequences(
    folder: Path, data: Source, build: str, source: Source, weights: Source | None, config: DatasetConfig
) -> None:
    """A data set of a user's sequences of symbols; where they have no labels, the network's own answers are those."""
    from lisor.data import symbols
    from lisor.data.dataset import Dataset, Split
    from lisor.rnn import builds
    from lisor.rnn.adapters import adapt

    table = symbols.read_table(Path(data.path))
    words, vocabulary = symbols.number(table["symbols"], config.order)
    notes, labels, classes = list[str](), None, config.classes
    if "label" in table:
        labels, classes = symbols.number_labels(table["label"], config.classes)
    network = adapt(builds.load(build, None if weights is None else Path(weights.path)), vocabulary, classes)
    if labels is None:
        labels = network.predict(words).argmax(axis=1)
        notes.append(
            "the sequences have no labels: the network's answers stand for the truth, and accuracy is fidelity"
        )
    rows = symbols.assign_splits(table, sizes=config.sizes, seed=config.seed)
    splits = {name: Split(sequences=words.select(some), labels=labels[some]) for name, some in rows.items()}
    Dataset(vocabulary=vocabulary, classes=network.classes, splits=splits, notes=tuple(notes)).write(folder)


@cached("model", *ADAPTING, name="bring {build}")
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
        "code": read_code(ADAPTING).digest,
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


def read_network(ref: Ref) -> Network:
    """The network behind a reference, trained here or brought along.

    Raises:
        ModelError: the source of a network that was brought along has changed since."""
    from lisor.rnn import builds
    from lisor.rnn.adapters import adapt
    from lisor.rnn.classifier import TrainedModel

    about, folder = read_about(ref), open_artifact(ref)
    if about["schema"] != BROUGHT:
        return TrainedModel.read(folder)
    build = about["architecture"]["build"]
    if describe_source(str(builds.source_of(build))).sha256 != about["source"]:
        raise ModelError(f"the source of {build} has changed since the run began; run it again")
    weights = folder / WEIGHTS
    network = builds.load(build, weights if weights.exists() else None)
    return adapt(network, tuple(about["vocabulary"]), tuple(about["classes"]))
