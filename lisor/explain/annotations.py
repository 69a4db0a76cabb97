"""A person's notes on hidden units, and the evidence on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lisor.data.tables import name_columns, read_csv
from lisor.errors import DataError, show
from lisor.explain.associations import LEVEL, Association

_QUOTED = re.compile(r"[\"“‘'`]([^\"“”‘’'`]+)[\"”’'`]")
_STATE = re.compile(r"\bstate (\d+)\b", re.IGNORECASE)


def read(path: Path) -> dict[int, str]:
    """The notes of a CSV file with the columns unit and note, by unit.

    Raises:
        DataError: the file cannot be read, lacks a column, or has a unit that is not a whole
            number or occurs twice."""
    try:
        table = read_csv(path, ",", ("unit", "note")).fillna("")
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"the notes in {path.name} cannot be read: {error}") from None
    if not {"unit", "note"} <= set(table.columns):
        raise DataError(
            f"expected the columns 'unit' and 'note' in {path.name}, got "
            f"{name_columns(table.columns)}"
        )
    notes: dict[int, str] = {}
    for unit, note in zip(table["unit"].str.strip(), table["note"].str.strip(), strict=True):
        if not re.fullmatch(r"[0-9]{1,9}", unit):
            raise DataError(
                f"expected the number of a unit in {path.name}, from 0 up, got {show(unit)}"
            )
        if int(unit) in notes:
            raise DataError(f"unit {unit} has two notes in {path.name}; make them one")
        notes[int(unit)] = note
    return notes


def judge(note: str, classes: Sequence[str], find: Callable[[str, str], Association | None]) -> str:
    """The evidence on a note: on the symbols that it names in quotes, its states ("state 3") and
    its classes.

    `find` gives the unit's association with a symbol, state or class, by kind and name, or None if
    there is no such name."""
    words = set(re.findall(r"\w+", note.lower()))
    named = [("symbol", name.strip()) for name in _QUOTED.findall(note)]
    named += [("state", number) for number in _STATE.findall(note)]
    named += [("class", name) for name in classes if name.lower() in words]
    if not named:
        return "names no symbol in quotes, no state and no class, so that it cannot be tested"
    return "; ".join(_verdict(kind, name, find(kind, name)) for kind, name in dict.fromkeys(named))


def _verdict(kind: str, name: str, association: Association | None) -> str:
    shown = f"“{name}”" if kind == "symbol" else f"{kind} {name}"
    if association is None:
        return f"{shown}: there is none"
    if association.p_value >= LEVEL:
        return f"{shown}: no evidence (p = {association.p_value:.3f})"
    numbers = f"r = {association.correlation:+.2f}, p = {association.p_value:.3f}"
    return f"{shown}: {association} ({numbers})"
