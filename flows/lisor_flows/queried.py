"""What `lisor extract` does with a function, which has no hidden states: no run, one automaton."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lisor.errors import DataError
from lisor.files import reason, shorten, writing


def learn(
    function: object,
    data: Path,
    order: Sequence[str] | None,
    classes: Sequence[str] | None,
    out: Path | None,
) -> None:
    """Learn the automaton of a function by queries, and write it as JSON: to the terminal, or with
    a drawing to a folder.

    Raises:
        DataError: the sequences cannot be used, or nothing can be written there.
        ModelError: the function fails, or answers the same word in two ways."""
    import lisor
    from lisor.data import symbols

    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"expected a folder {shorten(out)} to write to: {reason(error)}; give another"
            ) from None
    words = list(symbols.read_table(data)["symbols"])
    automaton = lisor.extract(function, words, alphabet=order, classes=classes, progress=_show)
    if out is None:
        print(automaton.to_json())
        return
    with writing(out / "automaton.json") as file:
        file.write(automaton.to_json().encode())
    lisor.draw(automaton, out / "automaton.svg")
    print(out / "automaton.json")


def _show(line: str) -> None:
    print(f"lisor: {line}", file=sys.stderr)
