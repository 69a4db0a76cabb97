"""Write docs/results.md: the tables and figures of Hou & Zhou (2020) as this program makes them.

make results                      runs configs/paper.yaml in the store of LISOR_HOME
make results IMDB=reviews.parquet adds a network trained on IMDB (columns text, label, split)
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from docs.report_of import REPORTS, ROOT, report_of
from lisor.spreadsheets import original

IMAGES = ROOT / "docs/images/results"
IMDB_SETTINGS = (
    "dataset.max_length=200",
    "dataset.keep=last",
    "dataset.vectors=word2vec",
    "dataset.min_count=5",
    "models.hidden_size=64",
    "models.vector_size=100",
    "training.learning_rate=0.004",
    "training.dropout=0.2",
    "training.patience=2",
    "training.max_epochs=8",
    "clustering.k=[2, 16]",
)
ONE_TRIAL = ("models.cells=[gru]", "training.trials=1")
"""What one trial on the CPU leaves of the four cells and five trials."""


def main() -> None:
    """Run, then write the page and copy its pictures."""
    shutil.rmtree(IMAGES, ignore_errors=True)
    IMAGES.mkdir(parents=True)
    lines = [*_paper(report_of("paper"))]
    if len(sys.argv) > 1:
        changes = ("name=imdb", f"dataset.text={sys.argv[1]}", *IMDB_SETTINGS, *ONE_TRIAL)
        lines += _imdb(report_of("paper", *changes), Path(sys.argv[1]).stem, changes)
    lines += _cost()
    (ROOT / "docs/results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _paper(report: Path) -> Iterator[str]:
    versions = json.loads((report / "summary.json").read_text())["versions"]
    yield "# The paper, reproduced"
    yield ""
    yield from _prose(
        "Hou & Zhou, *Learning with interpretable structure from gated RNN* (IEEE TNNLS 2020, "
        "arXiv 1810.10708), "
        "table by table and figure by figure, as `lisor run paper` makes them. This page is "
        "written by `make "
        f"results` from such a run "
        f"({', '.join(f'{name} {version}' for name, version in versions.items())}); nothing "
        "in it is typed by hand. The paper's own tables are pictures whose numbers we cannot "
        "quote; what it claims "
        "in words stands beside ours."
    )
    yield from _picture(report, "framework", "From sequences to an automaton")
    yield from _prose(
        "Networks are trained, their hidden states on validation sequences clustered, and an "
        "automaton read off the "
        "clusters. n_c is the number of clusters: the smaller, the simpler the automaton. Cells: "
        "srn (no gate; the "
        "paper's SRU), mgu (1), gru (2), lstm (3)."
    )
    yield "## Hidden states gather in clusters (figure 1)"
    yield ""
    yield from _picture(report, "0110-hidden-states", "Hidden states on 0110")
    yield from _picture(report, "000-hidden-states", "Hidden states on 000")
    yield '## The language "0110" (table 2, figure 3)'
    yield ""
    yield from _prose(
        "Words of length 4, positive if they are 0110. The number of clusters at which the "
        "automaton first reaches "
        "accuracy 1.0 on the test set, in each trial; > 64 means not reached, which makes a mean "
        "a lower bound (≥); the smallest of a "
        "method is bold. "
        "`kmeans` is LISOR-k, `kmeans-x` LISOR-x."
    )
    yield from _reach(report, "0110-clusters-to-reach-1.0")
    yield from _prose(
        "The paper claims that gates help, that fewer gates are better, and that MGU needs the "
        "fewest clusters. Over "
        "our trials:"
    )
    yield from _table(report, "0110-claims-1.0")
    yield from _prose(
        "The automata at n_c of each cell's first trial, LISOR-k; red is the path of 0110."
    )
    yield from _pictures(report, "0110-*-0-kmeans-reaches-1.0")
    yield '## The language "000" (table 3, figure 4)'
    yield ""
    yield from _prose(
        "Words up to length 20, positive if they contain 000. The paper stops at accuracy 0.7:"
    )
    yield from _reach(report, "000-clusters-to-reach-0.7")
    yield from _table(report, "000-claims-0.7")
    yield from _prose(
        "At accuracy 1.0, where the paper has no numbers; *exact* counts the automata that are the "
        "language itself, "
        "proven by comparing minimal automata:"
    )
    yield from _reach(report, "000-clusters-to-reach-1.0")
    yield from _table(report, "000-claims-1.0")
    yield from _prose(
        "The automata at 0.7 of each cell's first trial, LISOR-k; red is the path of 000."
    )
    yield from _pictures(report, "000-*-0-kmeans-reaches-0.7")
    yield from _sentiment(
        report, "movie-reviews", "Sentiment of movie reviews (tables 4 and 5, figure 7)"
    )


def _imdb(report: Path, name: str, changes: tuple[str, ...]) -> Iterator[str]:
    yield from _sentiment(report, name, "Sentiment of IMDB reviews")
    settings = " ".join(
        f"--set '{change}'" if " " in change else f"--set {change}" for change in changes[2:]
    )
    seconds = json.loads((report / "summary.json").read_text())["seconds"]
    spent = ", ".join(
        f"{stage} {value:.0f} s" for stage, value in seconds.items() if stage != "this_run"
    )
    yield from _prose(
        f"Made by `lisor run paper --set name=imdb --set dataset.text=PATH {settings}` ({spent})."
    )


def _sentiment(report: Path, name: str, title: str) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield from _prose(
        "Accuracy of network and automaton at n_c = 2 on the test set; fidelity is how often both "
        "agree."
    )
    yield from _table(report, f"{name}-accuracy-at-2")
    yield from _prose(
        "One edge for all words from one state to another, with their number and the most frequent "
        "of them:"
    )
    yield from _pictures(report, f"{name}-*-0-word-classes")
    yield from _prose(
        "Words that lead into each class from a state of another, with the trials whose automaton "
        "they come from in "
        "brackets:"
    )
    yield from _table(report, f"{name}-leading-words")
    if not (
        report / "tables" / f"{name}-lexicon.csv"
    ).exists():  # of classes 0 and 1 none is said to be positive
        return
    yield from _prose(
        "Of these the VADER lexicon has rated so many, and agrees on so many; the last column is "
        "what chance gives:"
    )
    yield from _table(report, f"{name}-lexicon")


def _cost() -> Iterator[str]:
    yield "## What does being readable cost?"
    yield ""
    yield from _prose(
        "The best accuracy on the test set among automata of at most so many states (mean over "
        "trials), "
        "beside the network's own, dotted. Nothing is lost on the languages; on text the paper's "
        "rule loses much, "
        "whatever the number of states."
    )
    yield from _picture(
        REPORTS / "paper/latest", "accuracy-against-states", "Accuracy against the number of states"
    )


def _prose(text: str) -> Iterator[str]:
    """A paragraph, wrapped."""
    yield from (*textwrap.wrap(text, 128, break_on_hyphens=False, break_long_words=False), "")


def _reach(report: Path, name: str) -> Iterator[str]:
    """A table of n_c, the smallest of each method and column bold."""
    table = pd.read_csv(report / "tables" / f"{name}.csv", dtype=str)
    for column in [name for name in table.columns if name.startswith("trial") or name == "mean"]:
        numbers = table[column].str.split().str[0].astype(float)
        best = numbers == numbers.groupby(table["method"]).transform("min")
        table.loc[best, column] = "**" + table[column][best] + "**"
    yield from _markdown(table)


def _table(report: Path, name: str) -> Iterator[str]:
    table = pd.read_csv(report / "tables" / f"{name}.csv", dtype=str, keep_default_na=False)
    yield from _markdown(table.map(original))


def _markdown(table: pd.DataFrame) -> Iterator[str]:
    rows = [table.columns.tolist(), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    yield from (
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows
    )
    yield ""


def _pictures(report: Path, pattern: str) -> Iterator[str]:
    for file in sorted((report / "figures").glob(f"{pattern}.svg")):
        yield from _picture(report, file.stem, file.stem)


def _picture(report: Path, name: str, text: str) -> Iterator[str]:
    shutil.copyfile(report / "figures" / f"{name}.svg", IMAGES / f"{name}.svg")
    yield f"![{text}](images/results/{name}.svg)"
    yield ""


if __name__ == "__main__":
    main()
