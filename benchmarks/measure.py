"""Ours and a peer's work timed alternately in one process, and the memory of ours in a process of
its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNS, LONG_RUNS = 5, 2
THREADS = 2
"""Of either side, in every library."""

LONG_SECONDS = 60.0
"""A pair that takes longer is run `LONG_RUNS` times only."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: medians over the runs, ratio = the peer's time / ours, memory beyond what was
    there before.

    Where there is no peer its seconds and the ratio are None."""

    name: str
    ours_seconds: float
    peer_seconds: float | None
    ratio: float | None
    peak_memory_mb: float
    quality: str


@dataclass(frozen=True)
class Scaled:
    """What a peer that did only a part would take for the whole, and what came of the part."""

    seconds: float
    result: Any


@dataclass(frozen=True, kw_only=True)
class Work:
    """The same work done by us and by a peer, if there is one.

    `quality` says in a sentence how good what ours returned is beside what the peer returned."""

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any] | None
    quality: Callable[[Any, Any], str]


def compare(work: Work, peak_memory_mb: float) -> Row:
    """Ours and the peer's timed alternately, after one run of each to warm up."""
    sides = {"ours": work.ours} | ({"peer": work.peer} if work.peer else {})
    times: dict[str, list[float]] = {side: [] for side in sides}
    results: dict[str, Any] = {"peer": None}
    runs, done = RUNS, 0
    while done <= runs:
        started = time.perf_counter()
        for side, function in sides.items():
            begun = time.perf_counter()
            result = results[side] = function()
            times[side].append(
                result.seconds if isinstance(result, Scaled) else time.perf_counter() - begun
            )
        if done == 0 and time.perf_counter() - started > LONG_SECONDS:
            runs = LONG_RUNS
        done += 1
    medians = {side: statistics.median(taken[1:]) for side, taken in times.items()}
    ours, peer = medians["ours"], medians.get("peer")
    return Row(
        name=work.name,
        ours_seconds=round(ours, 4),
        peer_seconds=None if peer is None else round(peer, 4),
        ratio=None if peer is None else round(peer / ours, 2),
        peak_memory_mb=peak_memory_mb,
        quality=work.quality(results["ours"], results["peer"]),
    )


def peak_memory(work: Work) -> float:
    """Megabytes that ours takes at most beyond what its process held before. Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _memory("VmRSS")
    work.ours()
    return round(_memory("VmHWM") - before, 1)


def peak_memory_apart(name: str) -> float:
    """`peak_memory` of the benchmark of that name, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks", name, "--memory"]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _memory(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}: memory is measured on Linux only")
