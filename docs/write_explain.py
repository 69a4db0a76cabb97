"""Write docs/explain.md: what explains networks on movie reviews, and how far it can be trusted.

make explain        runs configs/sentiment.yaml in the store of LISOR_HOME; with VECTORS=path, a
                    file of word vectors in GloVe's format, also networks that begin with these
"""

from __future__ import annotations

import csv
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.report_of import ROOT, report_of
from lisor.evaluation.evaluation import read_results
from lisor.report.tables import Interval
from lisor.spreadsheets import original

ALONE = (
    "models.cells=[attention-gru]",
    "training.trials=5",
    "clustering.k=[2, 2]",
    "explain.enabled=false",
)
"""Changes to the run for the accuracy of one network over five trials."""

TUNED = (
    "models.tune_vectors=true",
    "models.hidden_size=64",
    "training.dropout=0.5",
    "dataset.min_count=1",
)
"""How vectors of a file are used best, by validation."""

FLOOR = 0.826
"""Test accuracy of TF-IDF with logistic regression on these sentences."""


def main() -> None:
    """Run, then write the page."""
    vectors = sys.argv[1] if len(sys.argv) > 1 else None
    report = report_of("sentiment")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    accuracies = {"learned": _accuracy("attention-learned")}
    if vectors is not None:
        of_file = f"dataset.vectors={Path(vectors).absolute()}"
        accuracies["of a file, trained on"] = _accuracy("attention-glove", of_file, *TUNED)
    page = _page(report, accuracies, used.ru_utime + used.ru_stime)
    (ROOT / "docs/explain.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def _accuracy(name: str, *changes: str) -> Interval:
    """The accuracy of attention-gru on the test set, over trials."""
    rows = read_results(
        report_of("sentiment", f"name={name}", *ALONE, *changes) / "results.parquet"
    )
    rows = rows[(rows["test_set"] == "test") & rows["selected"]]
    return Interval.of(rows["rnn_accuracy"].tolist())


def _page(report: Path, accuracies: dict[str, Interval], worked: float) -> Iterator[str]:
    summary = json.loads((report / "summary.json").read_text())
    used = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    yield "# Why this answer?"
    yield ""
    yield (
        "Written by `make explain` from runs of `configs/sentiment.yaml` on movie reviews "
        f"({used})."
    )
    if not summary["tasks"]["from_cache"]:
        yield ""
        yield (
            f"The run took {summary['seconds']['this_run']:.0f} seconds and {worked:.0f} seconds "
            "of processor time."
        )
    yield ""
    yield "## Networks with attention over their hidden states"
    yield ""
    yield (
        "Accuracy of attention-gru on the test set, mean and 95 % interval over five trials. "
        "Settings were picked on"
    )
    yield f"validation. TF-IDF with logistic regression reaches {FLOOR}."
    yield ""
    yield "| word vectors | accuracy |"
    yield "| --- | --- |"
    yield from (f"| {name} | {accuracy:.3f} |" for name, accuracy in accuracies.items())
    yield ""
    yield "## Do attributions point at the decisive symbols?"
    yield ""
    yield (
        "*Gain*: symbols are left out, those of the highest attribution first; the area between "
        "the probability of"
    )
    yield (
        "the network's answer then and under a random order, mean over the test set and 95 % "
        "interval. A method whose"
    )
    yield (
        "interval is not above 0 is no better than chance. *Agrees*: rank correlation of the size "
        "of attributions"
    )
    yield (
        "with the changes of state of the selected automaton, beside that of shuffled ones (two "
        "standard deviations)."
    )
    yield (
        "*Adds up*: share of the reviews whose integrated gradients sum to the network's margin "
        "within 1 %. *removal*: how"
    )
    yield (
        "far the logit falls without the symbol, which is there for networks without gradients too."
    )
    yield ""
    yield from _table(report, "attribution-methods")
    yield ""
    yield "## Gradients by parameter"
    yield ""
    yield (
        "The root mean square of the gradient of the loss over a parameter's numbers: quantiles "
        "over drawn reviews"
    )
    yield (
        "of validation. *Unmoved*: share of its numbers whose gradient is 0 in all of them, as of "
        "words that do not occur."
    )
    yield ""
    yield from _table(report, "parameter-gradients")
    yield ""
    yield "## Gates"
    yield ""
    yield "Shares of steps and units at which a gate is below 0.1 (closed) or above 0.9 (open)."
    yield ""
    yield from _table(report, "saturation")
    yield ""
    yield "## Hidden units"
    yield ""
    yield (
        "Of how many units the permutation test lets something be said, and how much of the test "
        "set the best single"
    )
    yield "unit tells right."
    yield ""
    yield "| cell | units | with a sentence | groups | best unit alone |"
    yield "| --- | --- | --- | --- | --- |"
    for path in sorted((report / "tables").glob("*-units.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            units = list(csv.DictReader(file))
        explained = sum(unit["what it does"] != "–" for unit in units)
        best = max(units, key=lambda unit: int(unit["alone"].rstrip("%")))
        groups = len({unit["group"] for unit in units})
        cell = path.name.removeprefix("movie-reviews-").removesuffix("-units.csv")
        yield (
            f"| {cell} | {len(units)} | {explained} | {groups} | "
            f"{best['alone']} (unit {best['unit']}) |"
        )


def _table(report: Path, name: str) -> Iterator[str]:
    """A table of the report in Markdown."""
    with (report / f"tables/movie-reviews-{name}.csv").open(encoding="utf-8", newline="") as file:
        headings, *rows = [[*map(original, row)] for row in csv.reader(file)]
    yield f"| {' | '.join(headings)} |"
    yield "| --- |" + " --- |" * (len(headings) - 1)
    yield from (f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
