"""A person's own reading of hidden units, and what the evidence says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lisor.data.tables import name_columns, read_csv
from lisor.errors import DataError, show
from lisor.explain.evidence import LEVEL, Link

_QUOTED = re.compile(r"[\"“‘'`]([^\"“”‘’'`]+)[\"”’'`]")
_STATE = re.compile(r"\bstate (\d+)\b", re.IGNORECASE)


def read(path: Path) -> dict[int, str]:
    """The notes of a CSV file with the columns unit and note, by unit.

    Raises:
        DataError: it cannot be read, lacks a column, or has a unit that is no whole number or is there twice."""
    try:
        table = read_csv(path, ",", ("unit", "note")).fillna("")
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"the notes in {path.name} cannot be read: {error}") from None
    if not {"unit", "note"} <= set(table.columns):
        found = name_columns(table.columns)
        raise DataError(f"expected the columns 'unit' and 'note' in {path.name}, found {found}")
    notes: dict[int, str] = {}
    for unit, note in zip(table["unit"].str.strip(), table["note"].str.strip(), strict=True):
        if not re.fullmatch(r"[0-9]{1,9}", unit):
            raise DataError(f"expected the number of a unit in {path.name}, from 0 up, got {show(unit)}")
        if int(unit) in notes:
            raise DataError(f"unit {unit} has two notes in {path.name}; make them one")
        notes[int(unit)] = note
    return notes


def judge(note: str, classes: Sequence[str], find: Callable[[str, str], Link | None]) -> str:
    """What the evidence says of a note: of the symbols that it names in quotes, its states ("state 3") and classes.

    `find` gives the link of the unit to a thing of some kind; None where there is no such thing."""
    words = set(re.findall(r"\w+", note.lower()))
    named = [("symbol", name.strip()) for name in _QUOTED.findall(note)]
    named += [("state", number) for number in _STATE.findall(note)]
    named += [("class", name) for name in classes if name.lower() in words]
    if not named:
        return "names no symbol in quotes, no state and no class, so that it cannot be tested"
    return "; ".join(_verdict(kind, name, find(kind, name)) for kind, name in dict.fromkeys(named))


def _verdict(kind: str, name: str, link: Link | None) -> str:
    shown = f"“{name}”" if kind == "symbol" else f"{kind} {name}"
    if link is None:
        return f"{shown}: there is none"
    if link.p_value >= LEVEL:
        return f"{shown}: no evidence (p = {link.p_value:.3f})"
    return f"{shown}: {link} (r = {link.correlation:+.2f}, p = {link.p_value:.3f})"
