"""Dumping the hidden states of 25,000 sequences of 200 (gru of 100 hidden units), beside the
forward pass alone."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

import torch

from benchmarks import reviews
from benchmarks.measure import Work
from lisor.networks import hidden_states
from lisor.networks.batches import length_batches

SEQUENCES, HIDDEN = 25_000, 100


def works() -> list[Work]:
    """The dump as ours, the network's states thrown away at once as the peer."""
    network, texts = reviews.train(HIDDEN)
    data = reviews.as_validation(texts, reviews.draw(texts, SEQUENCES))
    sequences = data.splits["validation"].sequences
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)

    def ours() -> int:
        hidden_states.dump(network, data, folder)
        return (folder / "states.parquet").stat().st_size

    def peer() -> int:
        steps = 0
        with torch.inference_mode():
            for _, symbols, _ in length_batches(
                sequences, network.device, hidden_states.MAX_POINTS
            ):
                steps += sum(1 for _ in network.network.run(symbols))
        return steps

    def quality(size: int, _: int) -> str:
        return f"{len(sequences.symbols):,} states, {size / 2**20:.0f} MB"

    return [Work(name="dump, peer forward pass", ours=ours, peer=peer, quality=quality)]
