"""python -m benchmarks.growth FILE.json: how the time of k-means grows with points, clusters and
hidden units."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import THREADS
from lisor.clustering.clustering import cluster
from lisor.networks.hidden_states import Points

BASE = {"P": 1_000_000, "k": 16, "H": 64}
"""Points, clusters and hidden units where another of them varies."""

VALUES = {
    "P": (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000),
    "k": (4, 8, 16, 32, 64),
    "H": (16, 32, 64, 128, 256),
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    rows = []
    cluster(
        wander(30_000, 8), [2, 3], method="kmeans", seed=0, threads=THREADS
    )  # what is compiled is compiled now
    for name, values in VALUES.items():
        for value in values:
            size = BASE | {name: value}
            points = wander(size["P"], size["H"])
            started = time.perf_counter()
            cluster(points, [size["k"]], method="kmeans", seed=0, threads=THREADS)
            rows.append(
                {"varied": name, "value": value, "seconds": round(time.perf_counter() - started, 3)}
            )
            print(f"{name} = {value:,}: {rows[-1]['seconds']:.2f} s", flush=True)
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def wander(count: int, hidden: int) -> Points:
    """Hidden states of an untrained recurrent network on 10,000 sequences of random symbols: h' =
    tanh(U h + w_a)."""
    rng = np.random.default_rng(0)
    recurrent = np.linalg.qr(rng.standard_normal((hidden, hidden)))[0].astype(np.float32)
    symbols = rng.standard_normal((8, hidden)).astype(np.float32)
    sequences = min(count, 10_000)
    states = np.empty((count // sequences, sequences, hidden), np.float32)
    state = np.zeros((sequences, hidden), np.float32)
    for step in range(len(states)):
        state = np.tanh(0.8 * state @ recurrent + symbols[rng.integers(0, 8, sequences)])
        states[step] = state
    flat, one_sequence = states.reshape(-1, hidden), np.zeros(states[..., 0].size, np.int32)
    return Points(
        sequence=one_sequence,
        step=np.arange(1, len(flat) + 1, dtype=np.int32),
        symbol=one_sequence,
        state=flat,
    )


if __name__ == "__main__":
    main()
