"""`lisor store`: what is in the store, whether it is whole, and what may go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lisor_tasks.mirror import Carried
    from lisor_tasks.upkeep import Held

app = typer.Typer(no_args_is_help=True, help="Look after the store of LISOR_HOME.")

DAY = 86400.0


@app.command()
def ls() -> None:
    """Show what is there, for which runs, and how big it is."""
    from lisor_tasks.register import registered
    from lisor_tasks.upkeep import holdings

    found = holdings()
    for run in registered():
        mine = [held for held in found if run in held.runs]
        alone = [held for held in mine if held.runs == (run,)]
        print(f"{run}: {_tell(mine)}, {_size(alone)} of them for this run alone")
    print(f"no run: {_tell([held for held in found if not held.runs])}")
    print(f"all: {_tell(found)}")


@app.command()
def verify() -> None:
    """Read every file and hold it against its digest."""
    from lisor_tasks.upkeep import holdings

    from lisor.errors import StoreError

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
        list[str] | None, typer.Option(metavar="RUN", help="Keep nothing for this run; may be repeated.")
    ] = None,
    older_than: Annotated[
        float, typer.Option(min=0, help="Days; a run that was cut short may still need what is new.")
    ] = 1.0,
) -> None:
    """Delete what no run needs: the newest record of each run says what it needs. Corpora stay."""
    from lisor_tasks.register import newest
    from lisor_tasks.upkeep import collect, collectable

    for run in forget or ():
        newest(run)  # raises where there is no such run
    some = (collect if delete else collectable)(older_than=older_than * DAY, forgotten=forget or ())
    for kind, count in sorted(Counter(held.kind for held in some).items()):
        print(f"{kind}: {count}, {_size([held for held in some if held.kind == kind])}")
    print(f"{_tell(some)} {'deleted' if delete else 'would be deleted; to delete, add --delete'}")


Runs = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Some runs [all].")]


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
