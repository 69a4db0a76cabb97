"""The commands `lisor store …`: show, check, clean and mirror the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lisor_flows.terminal import Commands

if TYPE_CHECKING:
    from lisor_tasks.mirror import Carried
    from lisor_tasks.upkeep import Stored

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Look after the store of LISOR_HOME.",
    rich_markup_mode=None,
)

DAY = 86400.0

RUNS = "Runs: NAME for its newest, or NAME/KEY [all]."

Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN", help=RUNS)]


@app.command()
def ls(runs: Runs = None) -> None:
    """Show what is there, for which runs, and how big it is."""
    from lisor_tasks.register import matching, registered
    from lisor_tasks.upkeep import inventory

    shown = [matching(run)[-1] for run in runs or ()]
    stored = inventory()
    for run in shown or registered():
        needed = [artifact for artifact in stored if run in artifact.runs]
        alone = [artifact for artifact in needed if artifact.runs == (run,)]
        print(f"{run}: {_describe(needed)}, {_size(alone)} of them for this run alone")
    if not shown:
        print(f"no run: {_describe([artifact for artifact in stored if not artifact.runs])}")
        print(f"all: {_describe(stored)}")


@app.command()
def verify() -> None:
    """Read every file and compare it with its digest."""
    from lisor.errors import StoreError
    from lisor_tasks.upkeep import inventory

    stored = inventory(verify=True)
    damaged = [artifact for artifact in stored if not artifact.whole]
    for artifact in damaged:
        runs = ", ".join(artifact.runs) or "no run"
        print(f"{artifact.kind}/{artifact.key} is damaged; it is there for {runs}")
    if damaged:
        raise StoreError(
            f"{len(damaged)} of {len(stored)} artifacts are damaged: "
            "a run that needs them makes them anew"
        )
    print(f"{_describe(stored)}: every file is as it was written")


@app.command()
def gc(
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete, instead of saying what would be deleted.")
    ] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Keep nothing for a NAME or NAME/KEY; may be repeated."),
    ] = None,
    older_than: Annotated[
        float,
        typer.Option(min=0, help="Days; a run that was cut short may still need what is new."),
    ] = 1.0,
) -> None:
    """Delete what no run needs: the record of each run says what it needs. Corpora stay."""
    from lisor_tasks.register import matching
    from lisor_tasks.upkeep import collect, unreachable

    forgotten = {match for run in forget or () for match in matching(run)}
    gone = (collect if delete else unreachable)(older_than=older_than * DAY, forgotten=forgotten)
    for kind in sorted({artifact.kind for artifact in gone}):
        of_kind = [artifact for artifact in gone if artifact.kind == kind]
        print(f"{kind}: {len(of_kind)}, {_size(of_kind)}")
    done = "deleted" if delete else "would be deleted; to delete, add --delete"
    print(f"{_describe(gone)} {done}")


@app.command()
def push(
    url: Annotated[
        str, typer.Argument(help="Such as s3://bucket/lisor; a folder is file:///path.")
    ],
    runs: Runs = None,
) -> None:
    """Mirror runs to object storage, or to any place that fsspec reaches."""
    from lisor_tasks.mirror import push

    push(url, runs or (), _print_carried)


@app.command()
def pull(
    url: Annotated[str, typer.Argument(help="Where runs were pushed to.")], runs: Runs = None
) -> None:
    """Take runs that were pushed into this store."""
    from lisor_tasks.mirror import pull

    pull(url, runs or (), _print_carried)


def _print_carried(carried: Carried) -> None:
    counts = f"{carried.carried:,} artifacts carried, {carried.present:,} were there"
    print(f"{carried.run}: {counts}", flush=True)


def _describe(artifacts: list[Stored]) -> str:
    return f"{len(artifacts):,} artifacts, {_size(artifacts)}"


def _size(artifacts: list[Stored]) -> str:
    return f"{sum(artifact.size for artifact in artifacts) / 1e6:,.1f} MB"
