"""The values of a network's hidden units and gates, by class and by step.

Shapes: B sequences of a batch, T steps of the longest, H hidden units, G gates, C classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.dataset import Split
from lisor.networks.batches import length_batches
from lisor.networks.trained import TrainedModel

BINS = 20
"""Bins of the histogram of a unit (from -bound to bound) and of a gate (from 0 to 1)."""

CLOSED, OPEN = 0.1, 0.9
"""A gate below the first or above the second is saturated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activations:
    """The values of a network's units and gates over the steps of labelled sequences.

    `units` and `gate_values` are histograms of `BINS` bins for each class; that of a gate is over
    all its units. `unit_means` and `gate_means` are means at each step over the sequences of a
    class, NaN where no sequence is that long. `closed` and `open` are shares of all steps. `moves`
    is the mean of |h_t - h_(t-1)|. `bound` is the largest |h|, and at least 1: without a tanh a
    unit may exceed 1."""

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
        """The activations in a file of `write`."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                **{
                    **arrays,
                    "gates": tuple(arrays["gates"].tolist()),
                    "bound": float(arrays["bound"]),
                }
            )


def activations(model: TrainedModel, split: Split) -> Activations:
    """The activations of a network on the sequences of a split."""
    gates = model.network.cell.gates
    classes, size = len(model.classes), model.architecture.hidden_size
    longest = int(split.sequences.lengths.max(initial=0))
    sums = Activations(
        gates=gates,
        bound=_bound(model, split),
        units=np.zeros((classes, size, BINS), np.int64),
        gate_values=np.zeros((len(gates), classes, BINS), np.int64),
        unit_means=np.zeros((classes, longest, size)),
        gate_means=np.zeros((len(gates), classes, longest)),
        closed=np.zeros((len(gates), size)),
        open=np.zeros((len(gates), size)),
        moves=np.zeros(size),
    )
    counts = np.zeros((classes, longest))
    for rows, symbols, lengths in length_batches(split.sequences, model.device):
        batch_lengths = lengths[0].cpu().numpy()
        for step, (before, after, values) in enumerate(_steps(model, symbols)):
            real = batch_lengths > step
            labels, states = split.labels[rows][real], after[real]
            unit_bins = _bins((states / sums.bound + 1) / 2)
            np.add.at(counts[:, step], labels, 1)
            np.add.at(sums.unit_means[:, step], labels, states)
            np.add.at(sums.units, (labels[:, None], np.arange(size), unit_bins), 1)
            sums.moves[:] += np.abs(states - before[real]).sum(axis=0)
            for gate, value in enumerate(values):
                np.add.at(sums.gate_values[gate], (labels[:, None], _bins(value[real])), 1)
                np.add.at(sums.gate_means[gate, :, step], labels, value[real].mean(axis=1))
                sums.closed[gate] += (value[real] < CLOSED).sum(axis=0)
                sums.open[gate] += (value[real] > OPEN).sum(axis=0)
    steps = max(1.0, counts.sum())
    divisors = np.where(counts > 0, counts, np.nan)
    return replace(
        sums,
        unit_means=sums.unit_means / divisors[..., None],
        gate_means=sums.gate_means / divisors,
        closed=sums.closed / steps,
        open=sums.open / steps,
        moves=sums.moves / steps,
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
    """The hidden states before and after each step of a batch, and the gate activations in it."""
    network, cell = model.network, model.network.cell
    state = cell.initial_state(symbols.shape[1])
    for read in symbols.unbind(dim=2):
        with torch.inference_mode():
            projected = cell.project(network.embed(read))
            gates = cell.gate_activations(state, projected)
            after = cell.step(state, projected)
        yield (
            state[0][0].cpu().numpy(),
            after[0][0].cpu().numpy(),
            [gate[0].cpu().numpy() for gate in gates],
        )
        state = after


def _bins(shares: Float[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """The index of each number's bin, of `BINS` equal ones from 0 to 1."""
    return np.asarray(shares * BINS, np.int64).clip(0, BINS - 1)
