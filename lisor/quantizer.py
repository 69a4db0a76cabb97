"""What turns series of numbers into symbols: windows that are rounded to levels or to prototypes.

Shapes: N series, T steps, C channels, W = C × window numbers of a window, S symbols, M windows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lisor.errors import DataError, show
from lisor.randomness import stream_seed
from lisor.sequences import Sequences

Series = Float[np.ndarray, "T C"]

BARS = "▁▂▃▄▅▆▇█"
"""In which the name of a prototype is written: a small curve."""

_ARRAYS = ("means", "deviations", "prototypes", "breakpoints")

MAX_BARS = 24
"""Of a name; the numbers of a longer prototype are averaged."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantizer:
    """Reads a series as symbols, one for each `window` steps; steps at the end that fill no window
    are left out.

    Numbers are standardised with the `means` and `deviations` of their channel first. A symbol is
    the nearest of the `prototypes` (vector quantisation; Gray, 1984), or where there are
    `breakpoints`, the interval between two of them that the mean of the window falls into (SAX; Lin
    et al., 2007, "Experiencing SAX"). Prototypes and breakpoints are standardised; a prototype has
    the channels of its first step, then those of the next.

    Raises:
        DataError: the shapes do not fit together."""

    window: int
    means: Float[np.ndarray, " C"]
    deviations: Float[np.ndarray, " C"]
    prototypes: Float[np.ndarray, "S W"]
    breakpoints: Float[np.ndarray, " S-1"] | None = None

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            given = getattr(self, name)
            if given is not None:
                array = np.array(given, np.float64)
                array.setflags(write=False)
                object.__setattr__(self, name, array)
        width = self.window * len(self.means)
        levels = None if self.breakpoints is None else (len(self.prototypes) - 1,)
        if (
            self.deviations.shape != self.means.shape
            or self.prototypes.ndim != 2
            or self.prototypes.shape[1:] != (width,)
            or (
                self.breakpoints is not None
                and (self.breakpoints.shape != levels or len(self.means) > 1)
            )
        ):
            raise DataError(
                f"expected prototypes of {width} numbers and fitting means, "
                "deviations and breakpoints"
            )

    @property
    def channels(self) -> int:
        """The number of channels, C."""
        return len(self.means)

    def read(self, series: Sequence[Series], first: int = 1) -> Sequences:
        """The series as symbols, with the standardised windows as their numbers.

        Raises:
            DataError: a series has other channels, or is shorter than a window; they are counted
                from `first` on."""
        check(series, self.window, self.channels, first)
        standardised = [(one - self.means) / self.deviations for one in series]
        windows, counts = _windows(standardised, self.window)
        windows = windows.astype(
            np.float32
        )  # as they are kept, so that the symbols follow from them
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return Sequences(symbols=self.symbols(windows), offsets=offsets, numbers=windows)

    def parse(self, text: str, row: int = 1) -> Series:
        """The series that a text holds; a message counts rows.

        Raises:
            DataError: it is no series of numbers, has other channels, or is shorter than a
                window."""
        series = parse_series(text, row)
        check([series], self.window, self.channels, row)
        return series

    def symbols(self, windows: Float[np.ndarray, "M W"]) -> Int[np.ndarray, " M"]:
        """The symbol of each standardised window; of a tie the lower prototype, or the level
        above."""
        if self.breakpoints is not None:
            levels = np.searchsorted(self.breakpoints, windows.mean(axis=1), side="right")
            return np.asarray(levels)
        distances = windows @ (-2 * self.prototypes).T + np.square(self.prototypes).sum(axis=1)
        return np.asarray(distances.argmin(axis=1))

    def example(self, symbol: int) -> Series:
        """A series of one window that is read as a symbol: its prototype."""
        steps = self.prototypes[symbol].reshape(self.window, -1)
        return np.asarray(steps * self.deviations + self.means)

    @property
    def has_levels(self) -> bool:
        """Whether a symbol is a range of levels."""
        return self.breakpoints is not None or self.prototypes.shape[1] == 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each symbol, all different: its range of levels, or its prototype as a small
        curve of bars."""
        if self.has_levels:
            return tuple(self.span(symbol, symbol) for symbol in range(len(self.prototypes)))
        by_channel = self.prototypes.reshape(-1, self.window, self.channels).transpose(0, 2, 1)
        heights = by_channel.reshape(len(by_channel), -1) - by_channel.min()
        return _different([_bars(curve) for curve in heights / max(heights.max(), 1e-12)])

    def span(self, first: int, last: int) -> str:
        """The range of levels of some symbols in a row."""
        if first == 0:
            return "any" if last == len(self._borders) else f"below {self._borders[last]}"
        low = self._borders[first - 1]
        return f"above {low}" if last == len(self._borders) else f"{low} … {self._borders[last]}"

    @cached_property
    def _borders(self) -> list[str]:
        """The borders between levels in the units of the series, with as few digits as make them
        different."""
        levels = self.breakpoints
        if levels is None:
            levels = (self.prototypes[1:, 0] + self.prototypes[:-1, 0]) / 2
        borders, shown = levels * self.deviations[0] + self.means[0], list[str]()
        for digits in range(2, 17):
            shown = [f"{border:.{digits}g}".replace("-", "\N{MINUS SIGN}") for border in borders]
            if len(set(shown)) == len(shown):
                break
        return shown

    def to_json(self) -> dict[str, Any]:
        """The quantizer as plain values."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        plain = {name: None if array is None else array.tolist() for name, array in arrays.items()}
        return {"window": self.window, **plain}

    @classmethod
    def from_json(cls, fields: object) -> Quantizer:
        """The quantizer that `to_json` wrote.

        Raises:
            DataError: a field is missing or of the wrong type."""
        try:
            values = dict(fields)  # type: ignore[call-overload]  # whatever the file holds
            window = values.pop("window")
            if type(window) is not int or window < 1:
                raise ValueError(window)
            arrays: dict[str, Any] = {
                name: None if value is None else np.array(value, np.float64)
                for name, value in values.items()
            }
            if not all(np.isfinite(array).all() for array in arrays.values() if array is not None):
                raise ValueError("numbers that are not finite")
            if not (arrays["deviations"] > 0).all():
                raise ValueError("deviations that are not above 0")
            return cls(window=window, **arrays)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
            raise DataError(
                f"expected a window, means, deviations and prototypes of a quantizer, got "
                f"{show(fields)}"
            ) from None


def fit(
    series: Sequence[Series], *, method: str, symbols: int, window: int, seed: int
) -> Quantizer:
    """A quantizer of so many symbols, fitted to some series.

    "kmeans": the prototypes are the centers of scikit-learn's k-means over the windows of all
    channels together, those of single numbers from the lowest up, others from the most frequent
    down. "sax": the breakpoints cut the normal distribution into levels of equal probability, and a
    prototype is the mean of a level's windows.

    Raises:
        DataError: there are fewer different windows than symbols, or several channels for SAX."""
    check(series, window, series[0].shape[1])
    steps = np.concatenate(series)
    means, deviations = steps.mean(axis=0), steps.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1.0)
    windows, _ = _windows([(one - means) / deviations for one in series], window)
    if method == "sax":
        return Quantizer(
            window=window,
            means=means,
            deviations=deviations,
            **_fit_levels(windows, symbols, len(means)),
        )
    distinct = len(np.unique(windows, axis=0))
    if distinct < symbols:
        raise DataError(
            f"{symbols} symbols cannot be made of {distinct} different windows; "
            "lower dataset.symbol_count"
        )
    from sklearn.cluster import KMeans  # takes a second to load

    kmeans = KMeans(symbols, n_init=10, random_state=stream_seed(seed, "prototypes")).fit(windows)
    centers = kmeans.cluster_centers_
    by = centers[:, 0] if centers.shape[1] == 1 else -np.bincount(kmeans.labels_, minlength=symbols)
    return Quantizer(
        window=window,
        means=means,
        deviations=deviations,
        prototypes=centers[np.argsort(by, kind="stable")],
    )


def _fit_levels(
    windows: Float[np.ndarray, "M W"], symbols: int, channels: int
) -> dict[str, Float[np.ndarray, "..."]]:
    from scipy.stats import norm

    if channels > 1:
        raise DataError(
            f"SAX reads series of one channel, got {channels}; set dataset.quantizer=kmeans"
        )
    breakpoints = norm.ppf(np.arange(1, symbols) / symbols)
    levels = np.searchsorted(breakpoints, windows.mean(axis=1), side="right")
    middles = norm.ppf((np.arange(symbols) + 0.5) / symbols)  # of levels that nothing fell into
    prototypes = np.repeat(middles[:, None], windows.shape[1], axis=1)
    for level in np.unique(levels):
        prototypes[level] = windows[levels == level].mean(axis=0)
    return {"breakpoints": breakpoints, "prototypes": prototypes}


def check(series: Sequence[Series], window: int, channels: int, first: int = 1) -> None:
    """Raises DataError where a series has another number of channels, is too short or holds what is
    not finite.

    A message names the series by its number, counted from `first` on."""
    for number, one in enumerate(series, first):
        if one.shape[1] != channels:
            raise DataError(
                f"expected {channels} channels in every series, found {one.shape[1]} in series "
                f"{number}"
            )
        if len(one) < window:
            raise DataError(
                f"series {number} has {len(one)} steps, fewer than the {window} of a window; "
                "lower dataset.window"
            )
        if not np.isfinite(one).all():
            step = int(np.flatnonzero(~np.isfinite(one).all(axis=1))[0]) + 1
            raise DataError(
                f"expected finite numbers, but step {step} of series {number} has "
                "one that is missing"
            )


def _windows(
    series: Sequence[Series], window: int
) -> tuple[Float[np.ndarray, "M W"], Int[np.ndarray, " N"]]:
    """The windows of all series, one after the other, and how many each series has."""
    counts = np.array([len(one) // window for one in series], np.int64)
    rows = [
        one[: count * window].reshape(count, -1) for one, count in zip(series, counts, strict=True)
    ]
    return np.concatenate(rows), counts


def _bars(heights: Float[np.ndarray, " W"]) -> str:
    parts = np.array_split(heights, min(len(heights), MAX_BARS))
    return "".join(BARS[min(int(part.mean() * len(BARS)), len(BARS) - 1)] for part in parts)


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with a number behind those that are there already."""
    counts: Counter[str] = Counter()
    different = []
    for name in names:
        counts[name] += 1
        different.append(name if counts[name] == 1 else f"{name} {counts[name]}")
    return tuple(different)


def parse_series(cell: Any, number: int = 1) -> Series:
    """A series as an array of steps by channels: from numbers, lists of them, or a text of either.

    Raises:
        DataError: it is none; a message names its row by `number`."""
    given = cell
    try:
        if isinstance(cell, str):
            cell = json.loads(cell) if cell.lstrip().startswith("[") else cell.split()
        steps = [] if cell is None or (isinstance(cell, float) and cell != cell) else [*cell]
        nested = [not isinstance(step, str | int | float | None | np.generic) for step in steps]
        widths = {len(step) for step, inner in zip(steps, nested, strict=True) if inner}
        if len(widths) > 1 or len(set(nested)) > 1:
            both = " and ".join(map(str, sorted(widths)))
            raise DataError(
                f"expected as many channels at every step, but series {number} has "
                f"{both if len(widths) > 1 else 'single numbers and lists'}"
            )
        array = np.array(steps if any(nested) else [[step] for step in steps], float)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise _no_series(given, number) from None
    if array.ndim > 2:
        raise _no_series(given, number)
    if not array.size:
        raise DataError(f"expected numbers in row {number} of the column 'series', found none")
    return array


def _no_series(cell: object, number: int) -> DataError:
    return DataError(
        f"expected a list of numbers, or of lists of numbers for several channels, in row {number} "
        f"of 'series', got {show(cell)}"
    )
