"""Write docs/taggers.md: networks that give each word its part of speech, and their automata.

make taggers TAGS=tags.parquet VECTORS=glove.txt.gz    runs configs/tagger.yaml on these files, with
                                                       learned vectors and with those of the file
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from docs.bounded import bounded_table
from docs.report_of import ROOT, report_of
from lisor.data.dataset import Dataset
from lisor.evaluation import references
from lisor.evaluation.choice import SELECTION
from lisor.evaluation.evaluation import read_results
from lisor.report.tables import Interval
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import read_evaluations
from lisor_tasks.register import look_up

TRIED = tuple(product(("64", "200"), ("0.2", "0.4"), ("0.001", "0.003")))
"""Hidden units, dropout and learning rate among which the selection split chooses."""

LEARNED = ("dataset.vectors=learned", "dataset.min_count=2")

ONE_NETWORK = ("training.trials=1", "clustering.methods=[kmeans]", "clustering.k=[2, 2]")
"""Of a try: its automaton is of no interest."""

BOUNDS = (8, 16, 32, 64)
"""Bounds on the states of automata."""


def main(tags: str, glove: str) -> None:
    """Try, run, then write the page."""
    kinds = {
        "learned": LEARNED,
        "GloVe": (f"dataset.vectors={glove}", "dataset.min_count=1", "models.tune_vectors=true"),
    }
    lines = list[str]()
    reports, tables = dict[str, Path](), list[str]()
    for kind, settings in kinds.items():
        given = (f"dataset.symbols={tags}", *settings)
        accuracies = {values: _on_selection(kind, values, given) for values in TRIED}
        best = max(accuracies, key=accuracies.__getitem__)
        tables += ["", *_tries(kind, accuracies, best)]
        reports[kind] = report_of("tagger", f"name=tagger-{kind.lower()}", *given, *_changes(best))
    lines += _page(reports)
    lines += tables
    for kind in reports:
        networks = look_up(f"tagger-{kind.lower()}").artifacts.networks
        lines += ["", f"## States, fidelity and accuracy: {kind} vectors", ""]
        lines += [
            "The automaton of each rule that the selection split picks among those of at most so "
            "many states: fidelity and",
            "accuracy at the positions of the test set, means over trials.",
            "",
        ]
        lines += bounded_table([read_evaluations(network) for network in networks], BOUNDS)
    (ROOT / "docs/taggers.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _changes(values: Sequence[str]) -> tuple[str, ...]:
    hidden_size, dropout, learning_rate = values
    return (
        f"models.hidden_size={hidden_size}",
        f"training.dropout={dropout}",
        f"training.learning_rate={learning_rate}",
    )


def _on_selection(kind: str, values: Sequence[str], given: Sequence[str]) -> float:
    """The accuracy on the selection split of one network of these settings."""
    name = "-".join(("tagger", kind.lower(), *values)).replace(".", "")
    changes = (*_changes(values), *ONE_NETWORK, "extraction.rules=[dynamics]")
    report_of("tagger", f"name={name}", *given, *changes)
    (network,) = look_up(name).artifacts.networks
    rows = read_evaluations(network)
    return float(rows.loc[rows["test_set"] == SELECTION, "rnn_accuracy"].iloc[0])


def _tries(
    kind: str, accuracies: Mapping[tuple[str, str, str], float], best: tuple[str, str, str]
) -> Iterator[str]:
    yield f"## Settings tried: {kind} vectors"
    yield ""
    yield "One network each; its accuracy on the selection split decides."
    yield ""
    yield "| hidden units | dropout | learning rate | accuracy on selection | chosen |"
    yield "| --- | --- | --- | --- | --- |"
    for values, accuracy in accuracies.items():
        yield f"| {' | '.join(values)} | {accuracy:.3f} | {'yes' if values == best else ''} |"


def _dataset(kind: str) -> Dataset:
    """The dataset of a run, as its first network read it."""
    return read_dataset(look_up(f"tagger-{kind.lower()}").artifacts.networks[0].data)


def _page(reports: dict[str, Path]) -> Iterator[str]:
    summary = json.loads((reports["GloVe"] / "summary.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    dataset = _dataset("GloVe")
    test = dataset.splits["test"]
    usual, share = references.most_frequent(dataset)
    yield "# A tagger and its automaton"
    yield ""
    yield (
        "Written by `make taggers` from runs of `configs/tagger.yaml` on UD English-ParTUT "
        "(CC BY-NC-SA 4.0), which gives"
    )
    yield (
        f"each word one of {len(dataset.classes)} parts of speech; vectors of words by GloVe "
        f"(Pennington et al., 2014) ({versions})."
    )
    yield (
        f"The test set has {len(test.sequences):,} sentences, {test.positions.count:,} words. "
        "Settings, method, rule and k are chosen on the"
    )
    yield (
        "selection split; figures are shares of the words of the test set: mean and 95 % interval "
        "over trials."
    )
    yield ""
    yield "| what answers | accuracy | fidelity | states |"
    yield "| --- | --- | --- | --- |"
    yield f"| the most frequent class, {usual} | {share:.3f} | – | 1 |"
    yield (
        f"| the most frequent class of each word in training | "
        f"{references.by_last_symbol(dataset):.3f} | – | – |"
    )
    for kind, report in reports.items():
        rows: pd.DataFrame = read_results(report / "results.parquet")
        selected = rows[rows["selected"] & (rows["test_set"] == "test")]
        figures = {
            column: str(Interval.of(selected[column].tolist()))
            for column in ("rnn_accuracy", "accuracy", "fidelity")
        }
        states = ", ".join(map(str, selected["n_states"]))
        rules = ", ".join(dict.fromkeys(selected["method"] + " " + selected["rule"]))
        yield f"| a GRU with {kind} vectors | {figures['rnn_accuracy']} | – | – |"
        yield (
            f"| its automaton ({rules}) | {figures['accuracy']} | {figures['fidelity']} | "
            f"{states} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
