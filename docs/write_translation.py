"""Write docs/translation.md: networks that translate numbers and dates, and their automata.

make translation        runs configs/translation.yaml
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from docs.report_of import ROOT, report_of
from lisor.data.dataset import Dataset
from lisor.evaluation.choice import SELECTION
from lisor.report.translation_section import split_at
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import NetworkArtifacts, read_evaluations
from lisor_tasks.register import look_up

BOUNDS = (16, 32, 64, 128, 192, 256, 384, 513)
"""Bounds on the states of automata."""

EXAMPLES = 6
"""Wrong translations that are shown of each dataset."""

SOURCE = "on friday , the twenty first of january ⇒"


def main() -> None:
    """Run, then write the page."""
    report = report_of("translation")
    networks = look_up("translation").artifacts.networks
    page = "\n".join(_page(report, networks)) + "\n"
    (ROOT / "docs/translation.md").write_text(page, encoding="utf-8")


def rests(dataset: Dataset) -> int:
    """How many different rests of targets of the test split there are to write: the states that an
    automaton needs for them at least."""
    _, targets = split_at(dataset.splits["test"].sequences, dataset.separator)
    return len(
        {
            bytes(target[at:])
            for target in map(targets.__getitem__, range(len(targets)))
            for at in range(len(target) + 1)
        }
    )


def at_most(evaluations: pd.DataFrame, bound: int) -> pd.Series | None:
    """The evaluation on the test set of the automaton of at most so many states whose exact match
    on the selection split is highest; of a tie the smallest."""
    fitting = evaluations[evaluations["n_states"] <= bound]
    if not len(fitting):
        return None
    chosen = fitting[fitting["test_set"] == SELECTION].sort_values(
        ["exact_match", "n_states"], ascending=[False, True], kind="stable"
    )
    identity = ["method", "rule", "k"]
    test = fitting[fitting["test_set"] == "test"].set_index(identity)
    row: pd.Series = test.loc[tuple(chosen[identity].iloc[0])]
    return row


def _page(report: Path, networks: tuple[NetworkArtifacts, ...]) -> Iterator[str]:
    datasets = {network.name: read_dataset(network.data) for network in networks}
    evaluations = {network.name: read_evaluations(network) for network in networks}
    yield "# Translation"
    yield ""
    yield (
        "Written by `make translation` from a run of `configs/translation.yaml`. A translation is "
        "one sequence, source, `⇒`, target,\nof which a network learns the next symbol. Given "
        "source and `⇒` it takes the most likely symbol again and again, until it is\nthe end; so "
        "does the automaton (PDFA) that is read off it. *Exact match* is the share of sources that "
        "get the target without\na mistake. No source of the test set is in another split."
    )
    yield ""
    yield (
        "- `numbers:999`: three hundred and twelve ⇒ 3 1 2. Numbers for testing were read neither "
        "in training nor for the automaton."
    )
    yield "- The same in reverse: 3 1 2 ⇒ three hundred and twelve."
    yield (
        "- `dates:1`: on friday , the third of january ⇒ 01 03. Each day of January is written in "
        "96 forms, of which some are for testing:\n  what is new is the form, not the day."
    )
    yield ""
    yield (
        "| dataset | sources to train on | for testing | network | automaton | its states | "
        "states needed |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, table in evaluations.items():
        row, data = at_most(table, max(BOUNDS)), datasets[name]
        if row is not None:
            yield (
                f"| {name} | {len(data.splits['train']):,} | {len(data.splits['test']):,} | "
                f"{row['rnn_exact_match']:.3f} | {row['exact_match']:.3f} | {row['n_states']} | "
                f"{rests(data):,} |"
            )
    yield ""
    yield (
        "*States needed*: after `⇒` nothing but the state says what is still to be written, so "
        "that each different rest of a target\nneeds a state. This is the least for any automaton "
        "that is right on the whole test set, and it does not yet count the states\nthat read the "
        "source. An automaton of 64 states cannot write all numbers up to 99, whatever it was read "
        "off."
    )
    yield ""
    yield "## Exact match against states"
    yield ""
    yield (
        "Of each bound the automaton whose exact match is highest on the selection split; the "
        "figures are of the test set. The report\nselects by divergence, as for other language "
        "models."
    )
    yield ""
    yield "| at most | " + " | ".join(map(str, BOUNDS)) + " | network |"
    yield "| --- |" + " --- |" * (len(BOUNDS) + 1)
    for name, table in evaluations.items():
        largest = int(table["n_states"].max())
        picked = [at_most(table, bound) if bound <= largest + 1 else None for bound in BOUNDS]
        cells = ["–" if row is None else f"{row['exact_match']:.3f}" for row in picked]
        yield f"| {name} | {' | '.join(cells)} | {table['rnn_exact_match'].iloc[-1]:.3f} |"
    yield ""
    yield (
        "The network puts a number together of its parts, which it knows: it writes numbers that "
        "it never read. The automaton has a state\nfor each cluster of hidden states that were "
        "left behind by other numbers. For a new number it takes the nearest of those, and\nwrites "
        "a number that it knows. More clusters of these do not help: a memory that can hold a "
        "thousand values is no small machine.\nWhere the targets are few and the forms many, as "
        "for dates, the automaton translates forms that it was not read off: the more\nstates, the "
        "more often."
    )
    yield ""
    yield "## What is wrong"
    yield ""
    yield (
        f"The first {EXAMPLES} of the report's table: what the network has wrong, then what the "
        "selected automaton has wrong. A word such as zero\noccurs in a single number, so that a "
        "network that did not read this number does not know it."
    )
    yield ""
    yield "| dataset | source | target | network | automaton |"
    yield "| --- | --- | --- | --- | --- |"
    for network in networks:
        path = report / "tables" / f"{network.label}-translations.csv"
        with path.open(encoding="utf-8", newline="") as file:
            for row in list(csv.reader(file))[1 : EXAMPLES + 1]:
                yield f"| {network.name} | {' | '.join(row)} |"
    yield ""
    yield "## On the command line"
    yield ""
    yield "```sh"
    yield f'lisor generate --greedy --prefix "{SOURCE}" \\'
    yield "  --automaton .lisor/reports/translation/latest/automata/selected/dates-1-gru-0.json"
    yield "```"
    yield ""
    yield "```text"
    yield _translate(report / "automata/selected/dates-1-gru-0.json")
    yield "```"
    yield ""
    yield (
        'In Python `lisor.complete(automaton, "the third of january ⇒")` gives what stands after '
        "`⇒`; a network is taken as well."
    )


def _translate(automaton: Path) -> str:
    command = ["lisor", "generate", "--greedy", "--automaton", str(automaton), "--prefix", SOURCE]
    return subprocess.run(
        command, check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
