"""`lisor store`: what is in the store, whether it is whole, and what may go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from lisor_flows.terminal import Commands

if TYPE_CHECKING:
    from lisor_tasks.mirror import Carried
    from lisor_tasks.upkeep import Held

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
    from lisor_tasks.upkeep import holdings

    shown = [matching(run)[-1] for run in runs or ()]
    found = holdings()
    for run in shown or registered():
        mine = [held for held in found if run in held.runs]
        alone = [held for held in mine if held.runs == (run,)]
        print(f"{run}: {_tell(mine)}, {_size(alone)} of them for this run alone")
    if shown:
        return
    print(f"no run: {_tell([held for held in found if not held.runs])}")
    print(f"all: {_tell(found)}")


@app.command()
def verify() -> None:
    """Read every file and hold it against its digest."""
    from lisor.errors import StoreError
    from lisor_tasks.upkeep import holdings

    found = holdings(verify=True)
    damaged = [held for held in found if not held.whole]
    for held in damaged:
        print(f"{held.kind}/{held.key} is damaged; it is there for {', '.join(held.runs) or 'no run'}")
    if damaged:
        raise StoreError(f"{len(damaged)} of {len(found)} artifacts are damaged: a run that needs them makes them anew")
    print(f"{_tell(found)}: every file is as it was written")


@app.command()
def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Delete, instead of saying what would be deleted.")] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Keep nothing for a NAME or NAME/KEY; may be repeated."),
    ] = None,
    older_than: Annotated[
        float, typer.Option(min=0, help="Days; a run that was cut short may still need what is new.")
    ] = 1.0,
) -> None:
    """Delete what no run needs: the record of each run says what it needs. Corpora stay."""
    from lisor_tasks.register import matching
    from lisor_tasks.upkeep import collect, collectable

    forgotten = {one for run in forget or () for one in matching(run)}
    some = (collect if delete else collectable)(older_than=older_than * DAY, forgotten=forgotten)
    for kind, count in sorted(Counter(held.kind for held in some).items()):
        print(f"{kind}: {count}, {_size([held for held in some if held.kind == kind])}")
    print(f"{_tell(some)} {'deleted' if delete else 'would be deleted; to delete, add --delete'}")


@app.command()
def push(
    url: Annotated[str, typer.Argument(help="Such as s3://bucket/lisor; a folder is file:///path.")], runs: Runs = None
) -> None:
    """Mirror runs to object storage, or to any place that fsspec reaches."""
    from lisor_tasks.mirror import push as carry

    carry(url, runs or (), lambda carried: print(_tell_carried(carried), flush=True))


@app.command()
def pull(url: Annotated[str, typer.Argument(help="Where runs were pushed to.")], runs: Runs = None) -> None:
    """Take runs that were pushed into this store."""
    from lisor_tasks.mirror import pull as carry

    carry(url, runs or (), lambda carried: print(_tell_carried(carried), flush=True))


def _tell_carried(carried: Carried) -> str:
    return f"{carried.run}: {carried.carried:,} artifacts carried, {carried.there:,} were there"


def _tell(some: list[Held]) -> str:
    return f"{len(some):,} artifacts, {_size(some)}"


def _size(some: list[Held]) -> str:
    return f"{sum(held.size for held in some) / 1e6:,.1f} MB"
