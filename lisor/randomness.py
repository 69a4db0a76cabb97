"""Random numbers: every use draws from a stream of its own, which is named after it.

Two uses of one stream would draw the same numbers, and test words would say something of training
words."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """The generator of one use of a seed; another name has other numbers, as another seed has."""
    return np.random.default_rng(_sequence(seed, name))


def stream_seed(seed: int, *name: str | int) -> int:
    """The seed, of 32 bits, of one use of a seed, for what takes no generator of NumPy's."""
    return int(_sequence(seed, name).generate_state(1)[0])


def _sequence(seed: int, name: tuple[str | int, ...]) -> np.random.SeedSequence:
    """What `SeedSequence.spawn` makes of a seed, with the name's digest in place of the number of
    the child."""
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=np.frombuffer(digest, "<u4").tolist())
