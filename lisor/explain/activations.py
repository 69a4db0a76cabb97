"""What the steps of sequences do to a network's hidden units and gates: over steps, over classes, over all.

Shapes: B sequences of a batch, T steps of the longest, H hidden units, G gates, C classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.dataset import Split
from lisor.rnn.classifier import TrainedModel, length_batches

BINS = 20
"""Equal parts into which the range of a unit (-bound to bound) and of a gate (0 to 1) is cut."""

CLOSED, OPEN = 0.1, 0.9
"""A gate below the one or above the other is saturated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activations:
    """How a network's units and gates stood at each step of labelled sequences.

    `units` and `gate_values` count, for each class, the steps whose value falls into each of `BINS` parts of the range,
    gates over all units. `unit_means` and `gate_means` are means at each step over the sequences of a class that are so
    long, not a number where none is. `closed` and `open` are shares of all steps; `moves` is the mean of
    |h_t - h_(t-1)|. Units stand between -`bound` and `bound`, which is 1 unless some stand further out, as those of
    cells without a tanh may."""

    gates: tuple[str, ...]
    bound: float
    units: Int[np.ndarray, "C H 20"]
    gate_values: Int[np.ndarray, "G C 20"]
    unit_means: Float[np.ndarray, "C T H"]
    gate_means: Float[np.ndarray, "G C T"]
    closed: Float[np.ndarray, "G H"]
    open: Float[np.ndarray, "G H"]
    moves: Float[np.ndarray, " H"]

    def write(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> Activations:
        """What `write` left."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{**arrays, "gates": tuple(arrays["gates"].tolist()), "bound": float(arrays["bound"])})


def activations(model: TrainedModel, split: Split) -> Activations:
    """The activations that the sequences of a split cause in a network."""
    names, classes, size = model.network.cell.gates, len(model.classes), model.architecture.hidden_size
    longest, bound = int(split.sequences.lengths.max(initial=0)), _bound(model, split)
    units, unit_sums = np.zeros((classes, size, BINS), np.int64), np.zeros((classes, longest, size))
    gates, gate_sums = np.zeros((len(names), classes, BINS), np.int64), np.zeros((len(names), classes, longest))
    closed, wide, moves = np.zeros((len(names), size)), np.zeros((len(names), size)), np.zeros(size)
    counts = np.zeros((classes, longest))
    for rows, symbols, lengths in length_batches(split.sequences, model.device):
        batch_lengths = lengths[0].cpu().numpy()
        for step, (before, after, values) in enumerate(_steps(model, symbols)):
            real = batch_lengths > step
            own, states = split.labels[rows][real], after[real]
            np.add.at(counts[:, step], own, 1)
            np.add.at(unit_sums[:, step], own, states)
            np.add.at(units, (own[:, None], np.arange(size), _parts((states / bound + 1) / 2)), 1)
            moves += np.abs(states - before[real]).sum(axis=0)
            for gate, value in enumerate(values):
                np.add.at(gates[gate], (own[:, None], _parts(value[real])), 1)
                np.add.at(gate_sums[gate, :, step], own, value[real].mean(axis=1))
                closed[gate] += (value[real] < CLOSED).sum(axis=0)
                wide[gate] += (value[real] > OPEN).sum(axis=0)
    steps, some = max(1.0, counts.sum()), np.where(counts > 0, counts, np.nan)
    return Activations(
        gates=names,
        bound=bound,
        units=units,
        gate_values=gates,
        unit_means=unit_sums / some[..., None],
        gate_means=gate_sums / some,
        closed=closed / steps,
        open=wide / steps,
        moves=moves / steps,
    )


def _bound(model: TrainedModel, split: Split) -> float:
    """The largest |h| after any symbol, and at least 1."""
    bound = 1.0
    for _, symbols, lengths in length_batches(split.sequences, model.device):
        with torch.inference_mode():
            hidden = model.network.hidden_states(symbols)[0].abs().amax(dim=-1)
        real = torch.arange(len(hidden), device=hidden.device)[:, None] <= lengths
        bound = max(bound, float((hidden * real).max()))
    return bound


Step = tuple[Float[np.ndarray, "B H"], Float[np.ndarray, "B H"], list[Float[np.ndarray, "B H"]]]


def _steps(model: TrainedModel, symbols: Int[Tensor, "1 B T"]) -> Iterator[Step]:
    """The hidden states before and after each step of a batch, and the gates in it."""
    network, cell = model.network, model.network.cell
    state = cell.initial_state(symbols.shape[1])
    for read in symbols.unbind(dim=2):
        with torch.inference_mode():
            projected = cell.project(network.embed(read))
            gates = cell.open_gates(state, projected)
            after = cell.step(state, projected)
        yield state[0][0].cpu().numpy(), after[0][0].cpu().numpy(), [gate[0].cpu().numpy() for gate in gates]
        state = after


def _parts(shares: Float[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """In which of the `BINS` parts of the range from 0 to 1 each number lies."""
    parts: Int[np.ndarray, "..."] = np.clip((shares * BINS).astype(np.int64), 0, BINS - 1)
    return parts
