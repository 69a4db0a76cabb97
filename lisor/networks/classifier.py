"""A recurrent network that reads a sequence and names its class, from the last hidden state or a
weighted sum of all.

Shapes: R trials side by side, B sequences of a batch, T steps, S symbols, D numbers of a word
vector, H hidden units, C classes, N sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding

from lisor.errors import ModelError
from lisor.networks.attention import AttentionRecurrent, Pooling
from lisor.networks.batches import Inputs
from lisor.networks.cells.cell import Cell, State, make_cell
from lisor.registry import ATTENTION, CELLS, TARGETS
from lisor.targets.sequence import SEQUENCE

RECURRENT = f"{ATTENTION}recurrent"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes that fix the shape of every weight.

    `cell` is the name of a cell, "attention-" and a cell's name for attention over its hidden
    states, or "attention-recurrent". `target` is the kind of what it predicts. `learned_vectors`:
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
        """Whether the prediction or the next state comes from more than the last hidden state."""
        return self.cell.startswith(ATTENTION)

    @property
    def pools(self) -> bool:
        """Whether the prediction comes from all hidden states."""
        return self.attends and self.cell != RECURRENT

    @property
    def parts(self) -> tuple[str, ...]:
        """What a state is called in a dump: h, and for an LSTM or SRU c."""
        if self.cell == RECURRENT:
            return AttentionRecurrent.parts
        parts: tuple[str, ...] = CELLS[self.cell.removeprefix(ATTENTION)].parts
        return parts


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
    read-out.

    `vectors` are the word vectors where they are not learned, or those that learning begins with.
    The read-out looks at the hidden state after the last real step, or at the weighted sum of those
    of all real steps, so padding changes nothing, and at zeros for an empty sequence."""

    def __init__(
        self,
        architecture: Architecture,
        seeds: Sequence[int],
        vectors: Float[Tensor, "S D"] | None = None,
    ) -> None:
        super().__init__()
        self.architecture = a = architecture
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.vectors: Tensor
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
        if a.cell == RECURRENT:
            self.cell = AttentionRecurrent(a.vector_size, a.hidden_size, generators)
        else:
            self.cell = make_cell(
                a.cell.removeprefix(ATTENTION), a.vector_size, a.hidden_size, generators
            )
        self.pooling = Pooling(a.hidden_size, generators) if a.pools else None
        drawn = [
            nn.init.xavier_uniform_(torch.empty(a.hidden_size, a.classes), generator=g)
            for g in generators
        ]
        self.output_weight = nn.Parameter(torch.stack(drawn))
        self.output_bias = nn.Parameter(torch.zeros(len(seeds), 1, a.classes))

    def embed(self, read: Inputs) -> Float[Tensor, "R B D"]:
        """The word vector of each symbol; numbers are vectors already."""
        if read.is_floating_point():
            return read
        if not self.architecture.learned_vectors:
            return embedding(read, self.vectors)
        trials, size, width = self.vectors.shape
        offset = torch.arange(trials, device=read.device)[:, None] * size
        return embedding(read + offset, self.vectors.reshape(trials * size, width))

    def run(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None, state: State | None = None
    ) -> Iterator[State]:
        """A state, the initial one unless given, then the state after each of T steps; `keep`
        scales the word vectors of each sequence."""
        return self.run_vectors(self.by_step(read, keep), state)

    def by_step(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None
    ) -> Float[Tensor, "R T B D"]:
        """The vectors of a batch, step by step; `keep` scales those of each sequence."""
        turned = read.transpose(1, 2)
        trials, steps, batch = turned.shape[:3]
        flat = self.embed(turned.reshape(trials, steps * batch, *turned.shape[3:]))
        vectors = flat.view(trials, steps, batch, flat.shape[-1])
        return vectors if keep is None else vectors * keep[:, None]

    def run_vectors(
        self, vectors: Float[Tensor, "R T B D"], state: State | None = None
    ) -> Iterator[State]:
        """A state, the initial one unless given, then the state after each word vector."""
        trials, steps, batch, _ = vectors.shape
        state = self.cell.initial_state(batch) if state is None else state
        yield state
        projections = self.cell.project(vectors.flatten(1, 2))
        for projected in projections.view(trials, steps, batch, projections.shape[-1]).unbind(
            dim=1
        ):
            state = self.cell.step(state, projected)
            yield state

    def hidden_states(
        self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None
    ) -> Float[Tensor, "R T+1 B H"]:
        """Every hidden state, the initial one first."""
        return stack_hidden(self.run(read, keep))

    def summaries(self, hidden: Float[Tensor, "R T+1 B H"]) -> Float[Tensor, "R T+1 B H"]:
        """What is read out after each symbol, the initial state's first."""
        return hidden if self.pooling is None else self.pooling.prefixes(hidden)

    def read_out(self, hidden: Float[Tensor, "R B H"]) -> Float[Tensor, "R B C"]:
        """The unnormalised log-probability of each class at a hidden state, or at a weighted sum of
        them."""
        return torch.baddbmm(self.output_bias, hidden, self.output_weight)

    def forward(
        self, read: Inputs, lengths: Int[Tensor, "R B"], dropout: Dropout | None = None
    ) -> Float[Tensor, "R B L C"]:
        """The read-out at the L positions of each sequence."""
        hidden = self.hidden_states(read, None if dropout is None else dropout.vectors)
        summary = self._summary(hidden, lengths)
        if dropout is not None:
            summary = summary * dropout.hidden[:, :, None]
        logits = self.read_out(summary.flatten(1, 2))
        return logits.view(*summary.shape[:3], logits.shape[-1])

    def read_out_vectors(
        self, vectors: Float[Tensor, "R T B D"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B C"]:
        """The read-out after the last real word vector of each sequence."""
        hidden = stack_hidden(self.run_vectors(vectors))
        pooled = None if self.pooling is None else self.pooling(hidden, lengths)
        return self.read_out(last_of(hidden, lengths) if pooled is None else pooled)

    def _summary(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B L H"]:
        """What is read out at each position."""
        target = TARGETS[self.architecture.target]
        if self.pooling is not None and target.predicts_once:
            pooled: Tensor = self.pooling(hidden, lengths)[:, :, None]
            return pooled
        taken: Tensor = target.take(self.summaries(hidden), lengths)
        return taken

    def trial_weights(self, trial: int) -> dict[str, Tensor]:
        """The weights of one trial, as a network of its own has them (R = 1)."""
        stacked = dict(self.named_parameters())
        return {
            name: (value[trial : trial + 1] if name in stacked else value).detach().cpu().clone()
            for name, value in self.state_dict().items()
        }


def stack_hidden(states: Iterable[State]) -> Float[Tensor, "R T+1 B H"]:
    """The hidden states of a run, the initial one first."""
    return torch.stack([state[0] for state in states], dim=1)


def last_of(
    numbers: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
) -> Float[Tensor, "R B H"]:
    """Those after the last real symbol of each sequence."""
    last: Tensor = SEQUENCE.take(numbers, lengths).squeeze(2)
    return last
