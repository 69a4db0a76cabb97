"""The values of a network's hidden units and gates, by class and by step.

Shapes: B sequences of a batch, T steps of the longest, H hidden units, G gates, C classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.dataset import Split
from lisor.explain.groups import group_steps
from lisor.networks.batches import Inputs, length_batches
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel

BINS = 20
"""Bins of the histogram of a unit (from -bound to bound) and of a gate (from 0 to 1)."""

MAX_CLASSES = 8
"""Classes that are shown by themselves."""

CLOSED, OPEN = 0.1, 0.9
"""A gate below the first or above the second is saturated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activations:
    """The values of a network's units and gates over the steps of labelled sequences.

    `units` and `gate_values` are histograms of `BINS` bins for each of `classes`, the most frequent
    ones; that of a gate is over all its units. A step belongs to the class of its sequence, or
    where there is a label after each symbol, to that one; where numbers are predicted, classes are
    thirds of the first of them. `unit_means` and `gate_means` are means
    at each step over the sequences of a class, NaN where no sequence is that long. `closed` and
    `open` are shares of all steps. `moves` is the mean of |h_t - h_(t-1)|. `bound` is the largest
    |h|, and at least 1: without a tanh a unit may exceed 1."""

    gates: tuple[str, ...]
    classes: tuple[str, ...]
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
                    "classes": tuple(arrays["classes"].tolist()),
                    "bound": float(arrays["bound"]),
                }
            )


def activations(network: Network, split: Split, units: Sequence[int] | None = None) -> Activations:
    """The activations of a network on the sequences of a split: of some of its units, or of all."""
    numbers = np.arange(network.units) if units is None else np.asarray(units, np.int64)
    gates = network.network.cell.gates if isinstance(network, TrainedModel) else ()
    groups = group_steps(split, network.classes)
    step_labels = groups.of_steps
    shown = np.argsort(-np.bincount(step_labels, minlength=len(groups.names)), kind="stable")
    shown = np.sort(shown[:MAX_CLASSES])
    index = np.full(len(groups.names), -1)
    index[shown] = np.arange(len(shown))
    classes, size = len(shown), len(numbers)
    longest = int(split.sequences.lengths.max(initial=0))
    sums = Activations(
        gates=gates,
        classes=tuple(groups.names[label] for label in shown),
        bound=_bound(network, split, numbers),
        units=np.zeros((classes, size, BINS), np.int64),
        gate_values=np.zeros((len(gates), classes, BINS), np.int64),
        unit_means=np.zeros((classes, longest, size)),
        gate_means=np.zeros((len(gates), classes, longest)),
        closed=np.zeros((len(gates), network.units)),
        open=np.zeros((len(gates), network.units)),
        moves=np.zeros(size),
    )
    counts = np.zeros((classes, longest))
    steps = 0
    for rows, read, lengths in length_batches(split.sequences, network.device):
        begins, batch_lengths = split.sequences.offsets[rows], lengths[0].cpu().numpy()
        for step, (before, after, values) in enumerate(_steps(network, read, lengths)):
            real = batch_lengths > step
            steps += int(real.sum())
            sums.moves[:] += np.abs(after[real] - before[real])[:, numbers].sum(axis=0)
            for gate, value in enumerate(values):
                sums.closed[gate] += (value[real] < CLOSED).sum(axis=0)
                sums.open[gate] += (value[real] > OPEN).sum(axis=0)
            real[real] = index[step_labels[begins[real] + step]] >= 0
            labels, states = index[step_labels[begins[real] + step]], after[real][:, numbers]
            unit_bins = _bins((states / sums.bound + 1) / 2)
            np.add.at(counts[:, step], labels, 1)
            np.add.at(sums.unit_means[:, step], labels, states)
            np.add.at(sums.units, (labels[:, None], np.arange(size), unit_bins), 1)
            for gate, value in enumerate(values):
                np.add.at(sums.gate_values[gate], (labels[:, None], _bins(value[real])), 1)
                np.add.at(sums.gate_means[gate, :, step], labels, value[real].mean(axis=1))
    divisors = np.where(counts > 0, counts, np.nan)
    return replace(
        sums,
        unit_means=sums.unit_means / divisors[..., None],
        gate_means=sums.gate_means / divisors,
        closed=sums.closed / max(1, steps),
        open=sums.open / max(1, steps),
        moves=sums.moves / max(1, steps),
    )


def _bound(network: Network, split: Split, numbers: Int[np.ndarray, " H"]) -> float:
    """The largest |h| after any symbol, and at least 1."""
    bound = 1.0
    for _, read, lengths in length_batches(split.sequences, network.device):
        hidden = network.forward_pass(read, lengths).states[0][..., numbers].abs().amax(dim=-1)
        real = torch.arange(len(hidden), device=hidden.device)[:, None] <= lengths
        bound = max(bound, float((hidden * real).max()))
    return bound


Step = tuple[Float[np.ndarray, "B H"], Float[np.ndarray, "B H"], list[Float[np.ndarray, "B H"]]]


def _steps(network: Network, read: Inputs, lengths: Int[Tensor, "1 B"]) -> Iterator[Step]:
    """The hidden states before and after each step of a batch, and the gate activations in it,
    which are known of networks trained here."""
    if isinstance(network, TrainedModel):
        yield from _steps_with_gates(network, read)
        return
    states = network.forward_pass(read, lengths).states[0].cpu().numpy()
    yield from zip(states[:-1], states[1:], repeat(list[Any]()), strict=False)


def _steps_with_gates(model: TrainedModel, read: Inputs) -> Iterator[Step]:
    network, cell = model.network, model.network.cell
    state = cell.initial_state(read.shape[1])
    for symbols in read.unbind(dim=2):
        with torch.inference_mode():
            projected = cell.project(network.embed(symbols))
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
