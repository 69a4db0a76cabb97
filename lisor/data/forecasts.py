"""Series of numbers cut by time, and what comes some steps later.

Shapes: T steps, C channels, L steps of a piece, W windows of a piece, N series, K pieces, M windows
of all pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float

from lisor.data.splits import NAMES, draw_rows, split_stratified
from lisor.errors import DataError
from lisor.quantizer import Series
from lisor.randomness import stream


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Pieces of series, and the numbers that come `horizon` steps after the end of each of their
    windows."""

    series: list[Float[np.ndarray, "L C"]]
    ahead: Float[np.ndarray, "M C"]


def cut(
    table: pd.DataFrame,
    *,
    window: int,
    horizon: int,
    sequence_length: int,
    sizes: Mapping[str, int | None],
    held_out: float,
    seed: int,
) -> dict[str, Pieces]:
    """The pieces of each split, of at most `sequence_length` steps and at most as many as `sizes`
    say.

    With a column `split` whole series are assigned as rows are (`split_stratified`). Else each is
    cut by time: its last share `held_out` is the test split, of what is before the last such share
    validation and then, half and half, selection. A number ahead lies in the same split as what it
    is predicted from.

    Raises:
        DataError: a split has no piece."""
    spans = _spans(table, held_out, seed)
    rng, pieces = stream(seed, "splits of pieces"), dict[str, Pieces]()
    for name in NAMES:
        cuts = [
            piece
            for part in spans[name]
            for piece in _pieces(part, window, horizon, max(1, sequence_length // window))
        ]
        names = np.full(len(cuts), name, object)
        if not cuts:
            raise DataError(
                f"no piece is left for the split '{name}': series of more than {window + horizon} "
                "steps are needed; lower dataset.horizon or dataset.window"
            )
        rows = draw_rows(names, name, sizes.get(name), rng)
        pieces[name] = Pieces(
            series=[cuts[row][0] for row in rows],
            ahead=np.concatenate([cuts[row][1] for row in rows]),
        )
    return pieces


def _spans(table: pd.DataFrame, held_out: float, seed: int) -> dict[str, list[Series]]:
    """The stretches of series that belong to each split."""
    if "split" in table:
        rows = split_stratified(
            table, None, sizes={}, held_out=held_out, folds=None, fold=0, seed=seed
        )
        return {name: table["series"].iloc[numbers].tolist() for name, numbers in rows.items()}
    spans: dict[str, list[Series]] = {name: [] for name in NAMES}
    for one in table["series"]:
        test = round(len(one) * (1 - held_out))
        validation = round(test * (1 - held_out))
        selection = (validation + test) // 2
        edges = (0, validation, selection, test, len(one))
        for name, (first, last) in zip(NAMES, pairwise(edges), strict=True):
            spans[name].append(one[first:last])
    return spans


def _pieces(
    part: Series, window: int, horizon: int, windows: int
) -> list[tuple[Float[np.ndarray, "L C"], Float[np.ndarray, "W C"]]]:
    """The pieces of a stretch, of so many windows at most, and what comes after each window."""
    count = max(0, (len(part) - horizon) // window)
    ahead = part[np.arange(1, count + 1) * window - 1 + horizon]
    return [
        (
            part[first * window : min(first + windows, count) * window],
            ahead[first : first + windows],
        )
        for first in range(0, count, windows)
    ]
