"""The command `lisor explain`: one sequence, step by step, through a network of a run and its
automaton."""

from __future__ import annotations

import hashlib
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lisor.pipeline import Failure
    from lisor.report.page import Table
    from lisor_tasks.evaluation import NetworkArtifacts
    from lisor_tasks.explain import Input
    from lisor_tasks.register import Record

FOLDER = "explanations"
"""The folder of explanations, beside a run's report."""


def explain(
    run: str,
    sequence: str | None,
    row: int | None,
    position: int | None,
    dataset: str | None,
    cell: str | None,
    trial: int,
    what: str | None,
    out: Path | None,
) -> None:
    """Print the steps of raw input, or of a row of the test split, and write a page of them with
    the path on the automaton.

    Raises:
        ConfigError: none or both are given, or the run has no such network.
        DataError: no network of them reads it, or predicts `what` is explained."""
    if (sequence is None) == (row is None):
        raise ConfigError(
            "give either --sequence with a text, a word of a language, symbols or a series of "
            "numbers, or --row with the number of a sequence of the test split"
        )
    from lisor.files import check_writable, make_folder, writing
    from lisor.report import sequence_page, traces
    from lisor_tasks.explain import explain_sequence, read_row
    from lisor_tasks.register import RECORD, find, report_folder

    record = find(run)
    networks = _fitting(record, dataset, cell, trial)
    if sequence is None:
        network, title = networks[0], f"Row {row} of the test split"
        given = read_row(network, int(row or 0))
    else:
        title = sequence
        network, given = _first_reader(networks, sequence)
    named = title if position is None else f"{title} after step {position}"
    named = named if what is None else f"{named}: {what}"
    name = f"{network.label}-{hashlib.sha256(named.encode()).hexdigest()[:8]}"
    if out is not None:
        check_writable(out)
    explained = explain_sequence(network, record.artifacts.results, given, position, what)
    steps, classes = explained.steps, explained.classes
    about = f"The run {record.name}: {network.dataset}, {network.cell}, trial {network.trial}."
    page = sequence_page.render(
        about, name, network.cell, title, steps, explained.automaton, classes, explained.absent
    )
    if out is None:
        default = report_folder(record.run)  # before that of the record: a store may be a copy
        reports = (Path(run), default, Path(record.out))
        report = next((folder for folder in reports if (folder / RECORD).is_file()), default)
        out = make_folder(report / FOLDER) / f"{name}.html"
    with writing(out) as file:
        file.write(page.encode())
    _print(traces.steps_table(name, steps, classes))
    for sentence in explained.absent:
        print(sentence)
    print(f"{traces.verdict(network.cell, steps, classes)}\npage     {out}")


def _fitting(
    record: Record, dataset: str | None, cell: str | None, trial: int
) -> list[NetworkArtifacts]:
    """The networks of a run with this dataset, cell and trial; at least one.

    Raises:
        ConfigError: there is none."""
    from lisor_tasks.evaluation import read_failures, reported

    def fits(network: NetworkArtifacts | Failure) -> bool:
        return (
            dataset in (None, network.dataset)
            and cell in (None, network.cell)
            and network.trial == trial
        )

    networks = reported(record.artifacts.networks, record.artifacts.results)
    fitting = [*filter(fits, networks)]
    if fitting:
        return fitting
    names = dict.fromkeys(f"{each.dataset} {each.cell} {each.trial}" for each in networks)
    failures = filter(fits, read_failures(record.artifacts.results))
    reason = "".join(f"; {failure}" for failure in islice(failures, 1))
    wanted = " ".join(filter(None, (dataset, cell, str(trial))))
    raise ConfigError(
        f"the run {record.name} has no network {wanted}, only {', '.join(names)[:100]}{reason}"
    )


def _first_reader(networks: list[NetworkArtifacts], raw: str) -> tuple[NetworkArtifacts, Input]:
    """The first network whose alphabet reads raw input, and what it reads.

    Raises:
        DataError: none does."""
    from lisor_tasks.explain import read_input

    refusals: dict[str, str] = {}
    for network in networks:
        try:
            return network, read_input(network, raw)
        except DataError as error:
            refusals.setdefault(network.dataset, str(error))
    if len(refusals) == 1:
        raise DataError(*refusals.values())
    why = "; ".join(f"{dataset}: {refusal}" for dataset, refusal in refusals.items())
    raise DataError(f"no dataset of the run reads it; {why}")


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as ConsoleTable

    shown = ConsoleTable(*table.headings)
    for row in table.rows:
        shown.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, markup=False, soft_wrap=True).print(shown)
