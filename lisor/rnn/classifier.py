"""A recurrent network that reads a sequence and names its class, from the last hidden state or a weighted sum of all.

Shapes: R trials side by side, B sequences of a batch, T steps, S symbols, D numbers of a word vector, H hidden units,
C classes, N sequences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import embedding

from lisor.data.quantizer import Quantizer
from lisor.data.sequences import Sequences
from lisor.errors import ModelError, SchemaError
from lisor.names import ATTENTION
from lisor.rnn.attention import AttentionRecurrent, Pooling
from lisor.rnn.cells import GRU, WITH_CELL_STATE, Cell, State, make_cell
from lisor.rnn.network import Visit

SCHEMA = 2
"""Version of the files written by `TrainedModel.write`."""

RECURRENT = f"{ATTENTION}recurrent"

Inputs: TypeAlias = Int[Tensor, "R B T"] | Float[Tensor, "R B T D"]
"""What a batch of sequences is read from: symbols, or the numbers that symbols were made from."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes that fix the shape of every weight.

    `cell` is the name of a cell, "attention-" and a cell's name for attention over its hidden states, or
    "attention-recurrent". `learned_vectors`: whether the word vectors are trained with the network or given from
    outside."""

    cell: str
    symbols: int
    classes: int
    hidden_size: int
    vector_size: int
    learned_vectors: bool

    @property
    def attends(self) -> bool:
        """Whether the answer or the next state comes from more than the last hidden state."""
        return self.cell.startswith(ATTENTION)

    @property
    def pools(self) -> bool:
        """Whether the answer comes from all hidden states."""
        return self.attends and self.cell != RECURRENT

    @property
    def parts(self) -> tuple[str, ...]:
        """What a state is called in a dump: h, and for an LSTM or SRU c."""
        return ("state", "cell_state") if self.cell.removeprefix(ATTENTION) in WITH_CELL_STATE else ("state",)


class Dropout(NamedTuple):
    """What is dropped in one pass over a batch: factors of 0 or 1/(1−rate), the same at every step of a sequence.

    Gal & Ghahramani (2016), "A theoretically grounded application of dropout in recurrent neural networks", on the word
    vectors and on the hidden state that is read out; the recurrence itself is left whole."""

    vectors: Float[Tensor, "R B D"]
    hidden: Float[Tensor, "R B H"]

    @classmethod
    def draw(cls, a: Architecture, batch: int, rate: float, generators: Sequence[torch.Generator]) -> Dropout:
        """Factors for each trial from its own generator, on the CPU."""
        width = a.vector_size + a.hidden_size
        keep = torch.stack([torch.empty(batch, width).bernoulli_(1 - rate, generator=g) for g in generators])
        keep /= 1 - rate
        return cls(keep[..., : a.vector_size], keep[..., a.vector_size :])


class Classifier(nn.Module):
    """R networks of one architecture, network r drawn from seed r alone; class = argmax of a linear read-out.

    `vectors` are the word vectors where they are not learned, or those that learning begins with. The read-out looks at
    the hidden state after the last real step, or at the weighted sum of those of all real steps, so padding changes
    nothing, and at zeros for an empty sequence."""

    def __init__(
        self, architecture: Architecture, seeds: Sequence[int], vectors: Float[Tensor, "S D"] | None = None
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
            self.cell = make_cell(a.cell.removeprefix(ATTENTION), a.vector_size, a.hidden_size, generators)
        self.pooling = Pooling(a.hidden_size, generators) if a.pools else None
        drawn = [nn.init.xavier_uniform_(torch.empty(a.hidden_size, a.classes), generator=g) for g in generators]
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
        """A state, the initial one unless given, then the state after each of T steps; `keep` scales the word vectors
        of each sequence."""
        return self.run_vectors(self.by_step(read, keep), state)

    def by_step(self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None) -> Float[Tensor, "R T B D"]:
        """The vectors of a batch, step by step; `keep` scales those of each sequence."""
        turned = read.transpose(1, 2)
        trials, steps, batch = turned.shape[:3]
        flat = self.embed(turned.reshape(trials, steps * batch, *turned.shape[3:]))
        vectors = flat.view(trials, steps, batch, flat.shape[-1])
        return vectors if keep is None else vectors * keep[:, None]

    def run_vectors(self, vectors: Float[Tensor, "R T B D"], state: State | None = None) -> Iterator[State]:
        """A state, the initial one unless given, then the state after each word vector."""
        trials, steps, batch, _ = vectors.shape
        state = self.cell.initial_state(batch) if state is None else state
        yield state
        projections = self.cell.project(vectors.flatten(1, 2))
        for projected in projections.view(trials, steps, batch, projections.shape[-1]).unbind(dim=1):
            state = self.cell.step(state, projected)
            yield state

    def hidden_states(self, read: Inputs, keep: Float[Tensor, "R B D"] | None = None) -> Float[Tensor, "R T+1 B H"]:
        """Every hidden state, the initial one first."""
        vectors = self.by_step(read, keep)
        if isinstance(self.cell, GRU) and torch.is_grad_enabled():  # its last bits are not those of single steps
            return self.cell.hidden_states(vectors)
        return stack_hidden(self.run_vectors(vectors))

    def summaries(self, hidden: Float[Tensor, "R T+1 B H"]) -> Float[Tensor, "R T+1 B H"]:
        """What is read out after each symbol, the initial state's first."""
        return hidden if self.pooling is None else self.pooling.prefixes(hidden)

    def read_out(self, hidden: Float[Tensor, "R B H"]) -> Float[Tensor, "R B C"]:
        """The unnormalised log-probability of each class at a hidden state, or at a weighted sum of them."""
        return torch.baddbmm(self.output_bias, hidden, self.output_weight)

    def forward(
        self, read: Inputs, lengths: Int[Tensor, "R B"], dropout: Dropout | None = None
    ) -> Float[Tensor, "R B C"]:
        """The read-out after the last real step of each sequence."""
        hidden = self.hidden_states(read, None if dropout is None else dropout.vectors)
        summary = self._summary(hidden, lengths)
        return self.read_out(summary if dropout is None else summary * dropout.hidden)

    def answer_vectors(self, vectors: Float[Tensor, "R T B D"], lengths: Int[Tensor, "R B"]) -> Float[Tensor, "R B C"]:
        """The read-out after the last real word vector of each sequence."""
        return self.read_out(self._summary(stack_hidden(self.run_vectors(vectors)), lengths))

    def _summary(self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]) -> Float[Tensor, "R B H"]:
        return last_of(hidden, lengths) if self.pooling is None else self.pooling(hidden, lengths)

    def trial_weights(self, trial: int) -> dict[str, Tensor]:
        """The weights of one trial, as a network of its own has them (R = 1)."""
        stacked = dict(self.named_parameters())
        return {
            name: (value[trial : trial + 1] if name in stacked else value).detach().cpu().clone()
            for name, value in self.state_dict().items()
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """One trained network: its sizes, weights, the vocabulary and classes it knows, and how its training went.

    `history` holds a list for each curve, one number an epoch; the weights are those of `best_epoch` (from 0).
    `restarts` tells how often training was begun anew before this network.
    A network is also a state machine: `initial_state()`, `step(state, symbol)`, `is_accepting(state)`."""

    architecture: Architecture
    weights: Mapping[str, Tensor]
    vocabulary: tuple[str, ...]
    classes: tuple[str, ...]
    seed: int
    history: Mapping[str, Sequence[float]]
    best_epoch: int
    restarts: int = 0
    unknown: int | None = None
    tokenizer: str | None = None
    quantizer: Quantizer | None = None
    network: Classifier = field(init=False, repr=False)
    """The network itself, with R = 1, made from the weights and ready for inference."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))
        object.__setattr__(self, "history", MappingProxyType(dict(self.history)))
        object.__setattr__(self, "network", self._network())

    def __deepcopy__(self, memo: object) -> TrainedModel:
        """Itself, since it never changes."""
        return self

    def _network(self) -> Classifier:
        given = None if self.architecture.learned_vectors else self.weights.get("vectors")
        network = Classifier(self.architecture, [0], vectors=given)
        try:
            network.load_state_dict(dict(self.weights))
        except RuntimeError as error:
            raise ModelError(f"the weights do not fit the network: {str(error).splitlines()[-1].strip()}") from None
        return network.eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """The name of its cell."""
        return self.architecture.cell

    @property
    def parts(self) -> tuple[str, ...]:
        """What a state is called in a dump: h, and for an LSTM c."""
        return self.architecture.parts

    @property
    def layers(self) -> tuple[str, ...]:
        """Its single layer."""
        return (self.architecture.cell,)

    @property
    def state_size(self) -> int:
        """The number of hidden units."""
        return self.architecture.hidden_size

    @property
    def attends(self) -> bool:
        """Whether the answer or the next state comes from more than the last hidden state."""
        return self.architecture.attends

    @property
    def reads_empty(self) -> bool:
        """It was trained on the empty sequence too."""
        return True

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.output_bias.device

    def initial_state(self) -> State:
        """The state before the first symbol."""
        return self.network.cell.initial_state(1)

    def step(self, state: State, symbol: int) -> State:
        """The state after one more symbol."""
        projected = self.network.cell.project(self.network.embed(torch.tensor([[symbol]], device=self.device)))
        return self.network.cell.step(state, projected)

    @cached_property
    def _projected(self) -> Float[Tensor, "1 S G"]:
        """The part of a step that comes from the symbol, for every symbol of the vocabulary."""
        symbols = torch.arange(self.architecture.symbols, device=self.device)[None]
        return self.network.cell.project(self.network.embed(symbols))

    def _check_markov(self) -> None:
        """Raises ModelError where a hidden state alone does not say what comes next."""
        if self.architecture.attends:
            raise ModelError(
                f"the next state and the answer of {self.architecture.cell} come from more than its hidden state; "
                "use a network without attention, or the rule majority"
            )

    def successors(self, states: tuple[Float[np.ndarray, "B H"], ...]) -> Iterator[Float[np.ndarray, "S Z"]]:
        """For each of B states, that after every symbol of the vocabulary: Z numbers, h and for an LSTM or SRU c."""
        self._check_markov()
        parts = [torch.tensor(part, dtype=torch.float32, device=self.device) for part in states]
        for row in range(len(states[0])):
            before = tuple(part[None, row : row + 1] for part in parts)
            yield torch.cat(self.network.cell.step(before, self._projected), dim=-1)[0].cpu().numpy()

    def advance(
        self, states: tuple[Float[np.ndarray, "B H"], ...], symbols: Int[np.ndarray, " B"]
    ) -> tuple[Float[np.ndarray, "B H"], ...]:
        """The state after one more symbol for each of B states: h and for an LSTM or SRU c."""
        self._check_markov()
        read = torch.tensor(symbols, dtype=torch.long, device=self.device)
        before = tuple(torch.tensor(part, dtype=torch.float32, device=self.device)[None] for part in states)
        after = self.network.cell.step(before, self._projected[:, read])
        return tuple(part[0].cpu().numpy() for part in after)

    def predict_from(
        self, states: tuple[Float[np.ndarray, "N H"], ...], sequences: Sequences
    ) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own."""
        self._check_markov()
        answer = np.empty((len(sequences), self.architecture.classes), np.float32)
        for rows, read, lengths in length_batches(sequences, self.device):
            before = tuple(torch.as_tensor(part[rows], device=self.device)[None] for part in states)
            with torch.inference_mode():
                hidden = stack_hidden(self.network.run(read, state=before))
                logits = self.network.read_out(last_of(hidden, lengths))
                answer[rows] = logits[0].softmax(dim=-1).cpu().numpy()
        return answer

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that the read-out gives at hidden states."""
        self._check_markov()
        rows = torch.tensor(np.asarray(hidden, np.float32), device=self.device)
        answer: Float[np.ndarray, "N C"] = self.network.read_out(rows[None])[0].softmax(dim=-1).cpu().numpy()
        return answer

    def is_accepting(self, state: State) -> bool:
        """Whether the network answers class 1 in a state."""
        self._check_markov()
        return int(self.network.read_out(state[0])[0, 0].argmax()) == 1

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class for each sequence."""
        answer = np.empty((len(sequences), self.architecture.classes), np.float32)
        for rows, read, lengths in length_batches(sequences, self.device):
            with torch.inference_mode():
                answer[rows] = self.network(read, lengths)[0].softmax(dim=-1).cpu().numpy()
        return answer

    def visit(self, read: Inputs, lengths: Int[Tensor, "1 B"]) -> Visit:
        """Every state that a batch leaves, the initial one first, and what it is answered with.

        Of a network with attention also what it answers after each prefix."""
        network, a = self.network, self.architecture
        size = (read.shape[2] + 1, read.shape[1], a.hidden_size)
        with torch.inference_mode():
            visited = [torch.empty(size, device=self.device) for _ in a.parts]
            for step, state in enumerate(network.run(read)):
                for every, part in zip(visited, state, strict=False):  # what a state remembers besides is not kept
                    every[step] = part[0]
            summaries = network.summaries(visited[0][None])
            probabilities = network.read_out(last_of(summaries, lengths))[0].softmax(dim=-1)
            answers = network.read_out(summaries.flatten(1, 2))[0].argmax(dim=-1) if a.attends else None
        return Visit(tuple(visited), probabilities, None if answers is None else answers.view(size[:2]))

    def attention(self, sequences: Sequences) -> list[Float[np.ndarray, " T"]]:
        """How much each symbol of each sequence counts for the answer; the weights of a sequence sum to 1.

        Raises:
            ModelError: the answer does not come from all hidden states."""
        pooling, found = self.network.pooling, [np.empty(0, np.float32)] * len(sequences)
        if pooling is None:
            raise ModelError(f"expected a network with attention over its hidden states, got {self.architecture.cell}")
        for rows, read, lengths in length_batches(sequences, self.device):
            with torch.inference_mode():
                weights = pooling.weights(self.network.hidden_states(read), lengths)[0].cpu().numpy()
            for place, row in enumerate(rows):
                found[row] = weights[: lengths[0, place], place]
        return found

    def write(self, folder: Path) -> None:
        """Write `weights.safetensors` and `model.json`."""
        weights = save({name: value.contiguous() for name, value in self.weights.items()})
        (folder / "weights.safetensors").write_bytes(weights)  # save_file's error on a full disk is no OSError
        about = {
            "schema": SCHEMA,
            "architecture": asdict(self.architecture),
            "vocabulary": self.vocabulary,
            "classes": self.classes,
            "seed": self.seed,
            "history": {name: list(curve) for name, curve in self.history.items()},
            "best_epoch": self.best_epoch,
            "restarts": self.restarts,
            "unknown": self.unknown,
            "tokenizer": self.tokenizer,
        }
        if self.quantizer is not None:
            about["quantizer"] = self.quantizer.to_json()
        (folder / "model.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> TrainedModel:
        """The network that `write` left in `folder`, on the CPU.

        Raises:
            ModelError: the weights are damaged or of other sizes than the description says.
            SchemaError: it was written by another version."""
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if about["schema"] != SCHEMA:
            raise SchemaError(f"expected a network of schema {SCHEMA}, got {about['schema']}; train it again")
        try:
            weights = load_file(folder / "weights.safetensors")
        except SafetensorError as error:
            raise ModelError(f"the weights in {folder} cannot be read: {error}") from None
        return cls(
            architecture=Architecture(**about["architecture"]),
            weights=weights,
            vocabulary=tuple(about["vocabulary"]),
            classes=tuple(about["classes"]),
            seed=about["seed"],
            history=about["history"],
            best_epoch=about["best_epoch"],
            restarts=about["restarts"],
            unknown=about["unknown"],
            tokenizer=about["tokenizer"],
            quantizer=None if about.get("quantizer") is None else Quantizer.from_json(about["quantizer"]),
        )


def stack_hidden(states: Iterable[State]) -> Float[Tensor, "R T+1 B H"]:
    """The hidden states of a run, the initial one first."""
    return torch.stack([state[0] for state in states], dim=1)


def last_of(numbers: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]) -> Float[Tensor, "R B H"]:
    """Those after the last real symbol of each sequence."""
    trials, _, batch, _ = numbers.shape
    trial = torch.arange(trials, device=numbers.device)[:, None]
    return numbers[trial, lengths, torch.arange(batch, device=numbers.device)[None, :]]


def length_batches(
    sequences: Sequences, device: torch.device, most_symbols: int = 1 << 15
) -> Iterator[tuple[Int[np.ndarray, " B"], Inputs, Int[Tensor, "1 B"]]]:
    """Batches of sequences of similar length, shortest first: their rows, what is read of them, padded, and lengths.

    A batch holds at most `most_symbols` symbols, padding included, and at least one sequence."""
    lengths = sequences.lengths
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        # Lengths rise, so the padded size of a batch rises with its end, which is found by halving.
        ahead = np.maximum(lengths[order[start : start + most_symbols]], 1)
        sizes = ahead * np.arange(1, len(ahead) + 1)
        end = start + max(1, int(np.searchsorted(sizes, most_symbols, side="right")))
        rows = order[start:end]
        read = torch.from_numpy(sequences.select(rows).padded())[None].to(device)
        yield rows, read, torch.from_numpy(lengths[rows])[None].to(device)
        start = end
