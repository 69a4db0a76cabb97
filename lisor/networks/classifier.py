"""A recurrent network that reads a sequence and names its class or predicts numbers, from the last
hidden state or from what is pooled over all.

Shapes: R trials side by side, B sequences of a batch, T steps, S symbols, D numbers of a word
vector, H hidden units, Z numbers of a state that are read out or pooled, C classes or predicted
numbers, L positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding

from lisor.errors import ModelError
from lisor.networks.attention import AttentionRecurrent
from lisor.networks.batches import Inputs
from lisor.networks.cells.cell import Cell, State, make_cell
from lisor.networks.pools.pool import Pool
from lisor.registry import CELLS, POOLS, RECURRENT, TARGETS, split_name
from lisor.targets.sequence import SEQUENCE


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes that fix the shape of every weight.

    `cell` is the name of a cell, of a pool and a cell, or "attention-recurrent" (see
    `lisor.registry.network_names`). `target` is the kind of what it predicts. `learned_vectors`:
    whether the word vectors are trained with the network or given from outside."""

    cell: str
    symbols: int
    classes: int
    hidden_size: int
    vector_size: int
    learned_vectors: bool
    target: str = "class"

    @property
    def attends(self) -> bool:
        """Whether the next state comes from more than the last one."""
        return self.cell == RECURRENT

    @property
    def pool(self) -> str | None:
        """What pools all hidden states for the read-out, if anything does."""
        return split_name(self.cell)[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """What a state is called in a dump: h, and for an LSTM or SRU c."""
        if self.attends:
            return AttentionRecurrent.parts
        parts: tuple[str, ...] = CELLS[split_name(self.cell)[1]].parts
        return parts

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of each part: beside h stand what is pooled and its weight."""
        read = self.hidden_size if self.pool is None else 2 * self.hidden_size + 1
        return (read,) + (self.hidden_size,) * (len(self.parts) - 1)


class Dropout(NamedTuple):
    """What is dropped in one pass over a batch: factors of 0 or 1/(1−rate), the same at every step
    of a sequence.

    Gal & Ghahramani (2016), "A theoretically grounded application of dropout in recurrent neural
    networks", on the word vectors and on the hidden state that is read out; the recurrence itself
    is left whole."""

    vectors: Float[Tensor, "R B D"]
    hidden: Float[Tensor, "R B H"]

    @classmethod
    def draw(
        cls, a: Architecture, batch: int, rate: float, generators: Sequence[torch.Generator]
    ) -> Dropout:
        """Factors for each trial from its own generator, on the CPU."""
        width = a.vector_size + a.hidden_size
        keep = torch.stack(
            [torch.empty(batch, width).bernoulli_(1 - rate, generator=g) for g in generators]
        )
        keep /= 1 - rate
        return cls(keep[..., : a.vector_size], keep[..., a.vector_size :])


class Classifier(nn.Module):
    """R networks of one architecture, network r drawn from seed r alone; class = argmax of a linear
    read-out, or numbers are, times the `deviations` and plus the `means` of those in training.

    `vectors` are the word vectors where they are not learned, or those that learning begins with.
    The read-out looks at the hidden state after the last real step, or at what is pooled over all
    real steps, so padding changes nothing, and at zeros for an empty sequence. Step by step the
    network is a state machine: of one that pools, the first part of a state holds h, what is pooled
    so far, and its weight, one after the other."""

    def __init__(
        self,
        architecture: Architecture,
        seeds: Sequence[int],
        vectors: Float[Tensor, "S D"] | None = None,
        units: tuple[Float[Tensor, " C"], Float[Tensor, " C"]] | None = None,
    ) -> None:
        super().__init__()
        self.architecture = a = architecture
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.vectors: Tensor
        self.means: Tensor
        self.deviations: Tensor
        if vectors is None and a.learned_vectors:
            drawn = [0.1 * torch.randn(a.symbols, a.vector_size, generator=g) for g in generators]
            self.vectors = nn.Parameter(torch.stack(drawn))
        elif vectors is None or vectors.shape != (a.symbols, a.vector_size):
            raise ModelError(f"expected word vectors of shape ({a.symbols}, {a.vector_size})")
        elif a.learned_vectors:
            self.vectors = nn.Parameter(vectors.repeat(len(generators), 1, 1))
        else:
            self.register_buffer("vectors", vectors.clone())
        self.cell: Cell
        pool, cell = split_name(a.cell)
        if a.attends:
            self.cell = AttentionRecurrent(a.vector_size, a.hidden_size, generators)
        else:
            self.cell = make_cell(cell, a.vector_size, a.hidden_size, generators)
        self.pooling: Pool | None = None
        if pool is not None:
            self.pooling = POOLS[pool](a.hidden_size, generators)
        drawn = [
            nn.init.xavier_uniform_(torch.empty(a.hidden_size, a.classes), generator=g)
            for g in generators
        ]
        self.output_weight = nn.Parameter(torch.stack(drawn))
        self.output_bias = nn.Parameter(torch.zeros(len(seeds), 1, a.classes))
        self.is_numeric = TARGETS[a.target].is_numeric
        if self.is_numeric:
            given = (torch.zeros(a.classes), torch.ones(a.classes)) if units is None else units
            for name, numbers in zip(("means", "deviations"), given, strict=True):
                self.register_buffer(name, numbers)

    def embed(self, read: Inputs) -> Float[Tensor, "R B D"]:
        """The word vector of each symbol; numbers are vectors already."""
        if read.is_floating_point():
            return read
        if not self.architecture.learned_vectors:
            return embedding(read, self.vectors)
        trials, size, width = self.vectors.shape
        offset = torch.arange(trials, device=read.device)[:, None] * size
        return embedding(read + offset, self.vectors.reshape(trials * size, width))

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol; what is pooled is zeros, at the weight 1."""
        hidden, *rest = self.cell.initial_state(batch)
        if self.pooling is None:
            return (hidden, *rest)
        return (torch.cat([hidden, hidden, torch.ones_like(hidden[..., :1])], dim=-1), *rest)

    def step(self, state: State, projected: Float[Tensor, "R B G"]) -> State:
        """The state after one more input, of which the cell's part is given."""
        if self.pooling is None:
            return self.cell.step(state, projected)
        size = self.architecture.hidden_size
        before, pooled, weight = state[0].split([size, size, 1], dim=-1)
        hidden, *rest = self.cell.step((before, *state[1:]), projected)
        pooled, weight = self.pooling.step(pooled, weight, hidden)
        return (torch.cat([hidden, pooled, weight.expand_as(hidden[..., :1])], dim=-1), *rest)

    def run(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None, state: State | None = None
    ) -> Iterator[State]:
        """A state, the initial one unless given, then the state after each of T steps; `keep`
        scales the word vectors of each sequence."""
        return _run(self.cell, self, self.by_step(read, keep), state)

    def by_step(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None
    ) -> Float[Tensor, "R T B D"]:
        """The vectors of a batch, step by step; `keep` scales those of each sequence."""
        turned = read.transpose(1, 2)
        trials, steps, batch = turned.shape[:3]
        flat = self.embed(turned.reshape(trials, steps * batch, *turned.shape[3:]))
        vectors = flat.view(trials, steps, batch, flat.shape[-1])
        return vectors if keep is None else vectors * keep[:, None]

    def states(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None
    ) -> Float[Tensor, "R T+1 B Z"]:
        """The part of every state that is read out, the initial one's first."""
        return stack_first(self.run(read, keep))

    def hidden_states(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None
    ) -> Float[Tensor, "R T+1 B H"]:
        """Every hidden state, the initial one first."""
        return self._hidden_states(self.by_step(read, keep))

    def read_out(self, states: Float[Tensor, "R B Z"]) -> Float[Tensor, "R B C"]:
        """The unnormalised log-probability of each class in states, or the numbers."""
        return self._outputs(self._summaries(states))

    def activate(self, outputs: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        """What is predicted where a read-out is given: class probabilities, or the numbers."""
        return outputs if self.is_numeric else outputs.softmax(dim=-1)

    def losses(
        self, outputs: Float[Tensor, "R B L C"], labels: Shaped[Tensor, "R B L *C"]
    ) -> Float[Tensor, "R B*L"]:
        """The loss at each position: the cross-entropy, or of numbers the mean squared error, in
        deviations."""
        flat = outputs[:, :, : labels.shape[2]].flatten(1, 2)
        if self.is_numeric:
            apart = (flat - labels.flatten(1, 2).to(flat.dtype)) / self.deviations
            return apart.square().mean(dim=-1)
        return cross_entropy(flat.transpose(1, 2), labels.flatten(1), reduction="none")

    def forward(
        self, read: Inputs, lengths: Int[Tensor, "R B"], dropout: Dropout | None = None
    ) -> Float[Tensor, "R B L C"]:
        """The read-out at the L positions of each sequence."""
        target = TARGETS[self.architecture.target]
        keep = None if dropout is None else dropout.vectors
        if self.pooling is not None and target.predicts_once:
            summary = self.pooling(self.hidden_states(read, keep), lengths)[:, :, None]
        else:
            summary = target.take(self._summaries(self.states(read, keep)), lengths)
        if dropout is not None:
            summary = summary * dropout.hidden[:, :, None]
        outputs = self._outputs(summary.flatten(1, 2))
        return outputs.view(*summary.shape[:3], outputs.shape[-1])

    def read_out_vectors(
        self, vectors: Float[Tensor, "R T B D"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B C"]:
        """The read-out after the last real word vector of each sequence."""
        hidden = self._hidden_states(vectors)
        pooled = None if self.pooling is None else self.pooling(hidden, lengths)
        return self._outputs(last_of(hidden, lengths) if pooled is None else pooled)

    def _hidden_states(self, vectors: Float[Tensor, "R T B D"]) -> Float[Tensor, "R T+1 B H"]:
        return stack_first(_run(self.cell, self.cell, vectors))

    def _summaries(self, states: Float[Tensor, "R *B Z"]) -> Float[Tensor, "R *B H"]:
        """What is read out of states."""
        size = self.architecture.hidden_size
        return states if self.pooling is None else states[..., size : 2 * size]

    def _outputs(self, summary: Float[Tensor, "R B H"]) -> Float[Tensor, "R B C"]:
        outputs = torch.baddbmm(self.output_bias, summary, self.output_weight)
        return outputs * self.deviations + self.means if self.is_numeric else outputs

    def trial_weights(self, trial: int) -> dict[str, Tensor]:
        """The weights of one trial, as a network of its own has them (R = 1)."""
        stacked = dict(self.named_parameters())
        return {
            name: (value[trial : trial + 1] if name in stacked else value).detach().cpu().clone()
            for name, value in self.state_dict().items()
        }


class _Stepped(Protocol):
    """A cell, or a network of one."""

    def initial_state(self, batch: int) -> State: ...

    def step(self, state: State, projected: Float[Tensor, "R B G"]) -> State: ...


def _run(
    cell: Cell, stepped: _Stepped, vectors: Float[Tensor, "R T B D"], state: State | None = None
) -> Iterator[State]:
    """A state of what a cell steps, the initial one unless given, then the state after each
    word vector."""
    trials, steps, batch, _ = vectors.shape
    state = stepped.initial_state(batch) if state is None else state
    yield state
    projections = cell.project(vectors.flatten(1, 2))
    for projected in projections.view(trials, steps, batch, projections.shape[-1]).unbind(dim=1):
        state = stepped.step(state, projected)
        yield state


def stack_first(states: Iterable[State]) -> Float[Tensor, "R T+1 B Z"]:
    """The first parts of the states of a run, the initial one's first."""
    return torch.stack([state[0] for state in states], dim=1)


def last_of(
    numbers: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
) -> Float[Tensor, "R B H"]:
    """Those after the last real symbol of each sequence."""
    last: Tensor = SEQUENCE.take(numbers, lengths).squeeze(2)
    return last
