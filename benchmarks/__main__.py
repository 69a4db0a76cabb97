"""python -m benchmarks [NAME ...] [--json FILE]: each benchmark's row, printed and written."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks.measure import THREADS, Row, compare, peak_memory, peak_memory_apart

NAMES = (
    "exact",
    "training",
    "kgrid",
    "kgrid_stream",
    "kmeans_x",
    "automaton_run",
    "dump",
    "paper",
    "cached",
)


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Speed as ratios against a peer."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} [all]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"expected names of {', '.join(NAMES)}, got {unknown[0]!r}")
    torch.set_num_threads(THREADS)
    threadpool_limits(THREADS)
    rows = []
    for name in arguments.names or NAMES:
        works = import_module(f"benchmarks.{name}").works()
        if arguments.memory:
            print(peak_memory(works[0]))
            return
        memory = peak_memory_apart(name)  # of ours, whoever the peer is
        for work in works:
            rows.append(compare(work, memory))
            _show(rows[-1])
            if arguments.json:  # all that there are so far: the whole takes most of an hour
                arguments.json.write_text(
                    json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
                )


def _show(row: Row) -> None:
    times = f"ours {row.ours_seconds:.3g} s"
    if row.ratio is not None:
        times += f", peer {row.peer_seconds:.3g} s, ratio {row.ratio:.3g}"
    print(f"{row.name}: {times}, {row.peak_memory_mb:.0f} MB; {row.quality}", flush=True)


if __name__ == "__main__":
    main()
