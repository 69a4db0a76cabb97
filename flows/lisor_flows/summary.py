"""What the terminal says of a run that has ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lisor.errors import one_line
from lisor_flows.terminal import OutputError

MLFLOW_PORT = 5000


def conclude(summary: dict[str, Any]) -> None:
    """Print the summary of a run, which is whole even if it cannot be printed."""
    try:
        show(summary)
        sys.stdout.flush()
    except OutputError as error:
        note = f"lisor: note: the run is whole, but its table is not shown: {error}"
        print(one_line(note), file=sys.stderr)


def show(summary: dict[str, Any]) -> None:
    """Print the table of selected automata and the places of the outputs."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from lisor.report.tables import summaries

    folder = Path(summary["out"])
    console = Console(
        width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, soft_wrap=True
    )
    for kind in summaries(pd.read_parquet(folder / "results.parquet")):
        table = Table(
            *kind.headings,
            title=f"{kind.title}, mean ± 95 % interval over trials",
        )
        for row in kind.rows:
            table.add_row(*row.cells())
        console.print(table)
    mlflow = f"run: lisor ui, then open http://127.0.0.1:{MLFLOW_PORT}"
    lines = [
        *(f"failed   {failure}" for failure in summary["failed"]),
        *(f"not explained: {network}" for network in summary["unexplained"]),
        *(f"note     {note}" for note in summary.get("notes", ())),  # none in runs of before
        _describe_cache(summary["tasks"]),
        f"report   {folder / 'report.html'}",
        f"results  {folder / 'results.parquet'}",
        f"MLflow   {summary['mlflow'].get('error', mlflow)}",
    ]
    if "prefect" in summary:
        lines.append(f"Prefect  {summary['prefect']['error']}")
    for line in lines:
        console.print(line)


def _describe_cache(tasks: dict[str, Any]) -> str:
    total = tasks["run"] + tasks["from_cache"]
    if tasks["run"] == 0:
        return f"all {total} tasks were answered from the cache: nothing was trained"
    ran = f"{tasks['run']} run ({tasks['trained']} of them training)"
    return f"{total} tasks: {ran}, {tasks['from_cache']} from the cache"
