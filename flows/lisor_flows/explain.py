"""The command `lisor explain`: one sequence, step by step, through a trained network and its
automaton."""

from __future__ import annotations

import hashlib
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor.settings.series import SeriesSettings
from lisor.settings.text import TextSettings

if TYPE_CHECKING:
    from lisor.pipeline import Failure
    from lisor.report.page import Table
    from lisor_tasks.evaluation import NetworkArtifacts
    from lisor_tasks.register import Record

FOLDER = "explanations"
"""The folder of explanations, beside a run's report."""


def explain(
    run: str,
    text: str | None,
    word: str | None,
    dataset: str | None,
    cell: str | None,
    trial: int,
    out: Path | None,
) -> None:
    """Print the steps of a text or of a word of a language, and write a page of them with the path
    on the automaton.

    Raises:
        ConfigError: none or both are given, or the run has no such network."""
    if (text is None) == (word is None):
        raise ConfigError(
            "give either --text with a text, or --word with a word of a language, and not both"
        )
    from lisor.files import check_writable, make_folder, writing
    from lisor.report import sequence_page, traces
    from lisor_tasks.explain import explain_sequence
    from lisor_tasks.register import RECORD, find, report_folder

    record = find(run)
    network = _choose(record, dataset, cell, trial, is_text=text is not None)
    sequence = text if text is not None else str(word)
    name = f"{network.label}-{hashlib.sha256(sequence.encode()).hexdigest()[:8]}"
    if out is not None:
        check_writable(out)
    explained = explain_sequence(network, record.artifacts.results, sequence)
    steps, classes = explained.steps, explained.classes
    about = f"The run {record.name}: {network.dataset}, {network.cell}, trial {network.trial}."
    page = sequence_page.render(
        about, name, network.cell, sequence, steps, explained.automaton, classes
    )
    if out is None:
        default = report_folder(record.run)  # before that of the record: a store may be a copy
        reports = (Path(run), default, Path(record.out))
        report = next((folder for folder in reports if (folder / RECORD).is_file()), default)
        out = make_folder(report / FOLDER) / f"{name}.html"
    with writing(out) as file:
        file.write(page.encode())
    _print(traces.steps_table(name, steps, classes))
    print(f"{traces.verdict(network.cell, steps, classes)}\npage     {out}")


def _choose(
    record: Record, dataset: str | None, cell: str | None, trial: int, *, is_text: bool
) -> NetworkArtifacts:
    """The first network of a run with this dataset, cell and trial."""
    from lisor_tasks.evaluation import read_failures, reported

    studies = {study.dataset.title: study for study in Experiment(**record.settings).studies}
    explained = {
        name: study.dataset
        for name, study in studies.items()
        if not isinstance(study.dataset, SeriesSettings) and study.models.build is None
    }
    if not explained:
        raise ConfigError(
            f"the run {record.name} is of series or of an external network; expected one of texts, "
            "of words or of sequences of symbols, with networks that were trained here"
        )
    fitting = [
        name for name, data in explained.items() if isinstance(data, TextSettings) == is_text
    ]
    kind, other = ("text", "--word") if is_text else ("word", "--text")
    if dataset is not None and dataset in studies and dataset not in fitting:
        raise ConfigError(f"{dataset} is not a {kind}; use {other}")
    if not fitting:
        raise ConfigError(
            f"the run {record.name} has no {kind}, only {', '.join(studies)}; use {other}"
        )
    name = fitting[0] if dataset is None else dataset

    def fits(network: NetworkArtifacts | Failure) -> bool:
        return (network.dataset, network.trial) == (name, trial) and cell in (None, network.cell)

    networks = reported(record.artifacts.networks, record.artifacts.results)
    network = next(filter(fits, networks), None)
    if network is None:
        known = ", ".join(
            f"{other.dataset} {other.cell} {other.trial}"
            for other in networks
            if other.dataset == name
        ) or ", ".join(studies)
        failures = filter(fits, read_failures(record.artifacts.results))
        reason = "".join(f"; {failure}" for failure in islice(failures, 1))
        raise ConfigError(
            f"the run {record.name} has no network {name} {cell or ''} {trial}, "
            f"only {known[:100]}{reason}"
        )
    return network


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as ConsoleTable

    shown = ConsoleTable(*table.headings)
    for row in table.rows:
        shown.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, markup=False, soft_wrap=True).print(shown)
