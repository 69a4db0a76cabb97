"""The command `lisor explain`: one sequence, step by step, through a trained network and its automaton."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import ConfigError
from lisor.settings import experiment

if TYPE_CHECKING:
    from lisor.report.page import Table
    from lisor_tasks.evaluation import Network
    from lisor_tasks.register import Record

FOLDER = "explanations"
"""Beside a run's report."""


def explain(
    run: str, text: str | None, word: str | None, dataset: str | None, cell: str | None, trial: int, out: Path | None
) -> None:
    """Print the steps of a text or of a word of a language, and write them as a page with the path on the automaton.

    Raises:
        ConfigError: not exactly one of both is given, or the run has no such network."""
    if (text is None) == (word is None):
        raise ConfigError("give either --text with a text, or --word with a word of a language, and not both")
    from lisor.files import check_writable, make_folder, writing
    from lisor.report import sequence_page, walks
    from lisor_tasks.explain import walk_through
    from lisor_tasks.register import RECORD, find, report_folder

    record = find(run)
    network = _choose(record, dataset, cell, trial, is_text=text is not None)
    asked = text if text is not None else str(word)
    name = f"{network.label}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    if out is not None:
        check_writable(out)
    found = walk_through(network, record.artifacts.results, asked)
    about = f"The run {record.name}: {network.dataset}, {network.cell}, trial {network.trial}."
    seen = (found.steps, found.automaton, found.classes)
    page = sequence_page.render(about, name, network.cell, asked, *seen)
    if out is None:
        own = report_folder(record.run)  # before that of the record: a store may have been copied
        places = (Path(run), own, Path(record.out))
        beside = next((place for place in places if (place / RECORD).is_file()), own)
        out = make_folder(beside / FOLDER) / f"{name}.html"
    with writing(out) as file:
        file.write(page.encode())
    _print(walks.steps_table(name, found.steps, found.classes))
    print(f"{walks.verdict(network.cell, found.steps, found.classes)}\npage     {out}")


def _choose(record: Record, dataset: str | None, cell: str | None, trial: int, *, is_text: bool) -> Network:
    """The first network of a run that fits what is asked for."""
    from lisor_tasks.evaluation import read_failures, reported

    studies = {study.dataset.title: study for study in experiment(record.settings).studies}
    explicable = {
        name: own.dataset for name, own in studies.items() if own.dataset.series is None and own.models.build is None
    }
    fitting = [name for name, own in explicable.items() if (own.text is not None) == is_text]
    kind, other = ("text", "--word") if is_text else ("language", "--text")
    if dataset is not None and dataset in studies and dataset not in fitting:
        raise ConfigError(f"{dataset} is not a {kind}; use {other}")
    if not fitting:
        raise ConfigError(f"the run {record.name} has no {kind}, only {', '.join(studies)}; use {other}")
    name = fitting[0] if dataset is None else dataset
    own = [one for one in reported(record.artifacts.networks, record.artifacts.results) if one.dataset == name]
    found = [network for network in own if network.trial == trial and cell in (None, network.cell)]
    if not found:
        known = ", ".join(f"{network.dataset} {network.cell} {network.trial}" for network in own) or ", ".join(studies)
        failed = [one for one in read_failures(record.artifacts.results) if one.dataset == name and one.trial == trial]
        why = next((f"; {one}" for one in failed if cell in (None, one.cell)), "")
        raise ConfigError(f"the run {record.name} has no network {name} {cell or ''} {trial}, only {known[:100]}{why}")
    return found[0]


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as Shown

    shown = Shown(*table.headings)
    for row in table.rows:
        shown.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, markup=False, soft_wrap=True).print(shown)
