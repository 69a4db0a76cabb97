"""A network that was trained here: its weights, what it reads and predicts, and how its training
went.

Shapes: B sequences of a batch, T steps, S symbols, H numbers of a part of a state, Z of all parts,
C classes, N sequences, M positions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from lisor.alphabet import Alphabet
from lisor.errors import MAX_REPR, ModelError, SchemaError, one_line
from lisor.networks.batches import Inputs, length_batches
from lisor.networks.cells.cell import State
from lisor.networks.classifier import Architecture, Classifier, last_of, stack_first
from lisor.networks.differentiable import DifferentiableClassifier
from lisor.networks.network import AT_ONCE, ForwardPass
from lisor.networks.pools.attention import Attention
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

SCHEMA = 3
"""Version of the files written by `TrainedModel.write`."""

STATES_AT_ONCE = 1 << 12
"""States from which a sequence is read at once: as many as a processor holds close by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """One trained network: its sizes, weights, the alphabet and classes it knows, and how its
    training went.

    `history` holds a list for each curve, one number an epoch; the weights are those of
    `best_epoch` (from 0). `restarts` tells how often training was begun anew before this network.
    A network is also a state machine: `initial_state()`, `step(state, symbol)`,
    `is_accepting(state)`."""

    architecture: Architecture
    weights: Mapping[str, Tensor]
    alphabet: Alphabet
    classes: tuple[str, ...]
    seed: int
    history: Mapping[str, Sequence[float]]
    best_epoch: int
    restarts: int = 0
    network: Classifier = field(init=False, repr=False)
    """The network itself, with R = 1, made from the weights and ready for inference."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", Alphabet.of(self.alphabet))
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))
        object.__setattr__(self, "history", MappingProxyType(dict(self.history)))
        object.__setattr__(self, "network", self._network())

    def __repr__(self) -> str:
        return one_line(
            f"TrainedModel({self.name}, target={self.target!r}, {len(self.alphabet):,} symbols, "
            f"{len(self.classes):,} classes, {sum(self.sizes):,} numbers of a state)",
            MAX_REPR,
        )

    def __deepcopy__(self, memo: object) -> TrainedModel:
        """Itself, since it never changes."""
        return self

    def _network(self) -> Classifier:
        given = None if self.architecture.learned_vectors else self.weights.get("vectors")
        network = Classifier(self.architecture, [0], vectors=given)
        try:
            network.load_state_dict(dict(self.weights))
        except RuntimeError as error:
            raise ModelError(
                f"the weights do not fit the network: {str(error).splitlines()[-1].strip()}"
            ) from None
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
    def sizes(self) -> tuple[int, ...]:
        """The numbers of each part of a state."""
        return self.architecture.sizes

    @property
    def units(self) -> int:
        """The hidden units; what is pooled stands after them."""
        return self.architecture.hidden_size

    @property
    def attends(self) -> bool:
        """Whether the next state comes from more than the last one."""
        return self.architecture.attends

    @property
    def target(self) -> str:
        """The kind of what it predicts."""
        return self.architecture.target

    @property
    def at_once(self) -> int:
        """How many sequences it is given at once where a search may have to end in between."""
        return AT_ONCE

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
        return self.network.initial_state(1)

    def step(self, state: State, symbol: int) -> State:
        """The state after one more symbol."""
        projected = self.network.cell.project(
            self.network.embed(torch.tensor([[symbol]], device=self.device))
        )
        return self.network.step(state, projected)

    @cached_property
    def _projected(self) -> Float[Tensor, "1 S G"]:
        """The part of a step that comes from the symbol, for every symbol of the alphabet."""
        symbols = torch.arange(self.architecture.symbols, device=self.device)[None]
        return self.network.cell.project(self.network.embed(symbols))

    def _check_markov(self) -> None:
        """Raises ModelError where a hidden state alone does not say what comes next."""
        if self.architecture.attends:
            raise ModelError(
                f"the next state of {self.architecture.cell} comes from more than its hidden "
                "state; use a network without attention that feeds back, or the rule majority"
            )

    def successors(
        self, states: tuple[Float[np.ndarray, "B H"], ...]
    ) -> Iterator[Float[np.ndarray, "S Z"]]:
        """For each of B states, that after every symbol of the alphabet: Z numbers, h and for an
        LSTM or SRU c."""
        self._check_markov()
        parts = [torch.tensor(part, dtype=torch.float32, device=self.device) for part in states]
        for row in range(len(states[0])):
            before = tuple(part[None, row : row + 1] for part in parts)
            after = self.network.step(before, self._projected)
            yield torch.cat(after, dim=-1)[0].cpu().numpy()

    def advance(
        self, states: tuple[Float[np.ndarray, "B H"], ...], symbols: Int[np.ndarray, " B"]
    ) -> tuple[Float[np.ndarray, "B H"], ...]:
        """The state after one more symbol for each of B states: h and for an LSTM or SRU c."""
        self._check_markov()
        read = torch.tensor(symbols, dtype=torch.long, device=self.device)
        return self._stepped(states, self._projected[:, read])

    def advance_on(
        self, states: tuple[Float[np.ndarray, "B H"], ...], read: Float[np.ndarray, "B D"]
    ) -> tuple[Float[np.ndarray, "B H"], ...]:
        """The state after one more step for each of B states, on what is read in place of a
        symbol's vector."""
        self._check_markov()
        vectors = torch.tensor(read, dtype=torch.float32, device=self.device)[None]
        return self._stepped(states, self.network.cell.project(vectors))

    def _stepped(
        self, states: tuple[Float[np.ndarray, "B H"], ...], projected: Float[Tensor, "1 B G"]
    ) -> tuple[Float[np.ndarray, "B H"], ...]:
        before = tuple(
            torch.tensor(part, dtype=torch.float32, device=self.device)[None] for part in states
        )
        return tuple(part[0].cpu().numpy() for part in self.network.step(before, projected))

    def predict_from(
        self, states: tuple[Float[np.ndarray, "N H"], ...], sequences: Sequences
    ) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own, or
        after a single sequence is read from each of the states."""
        self._check_markov()
        if len(sequences) == 1:
            return self._predict_after(states, sequences)
        probabilities = np.empty((len(sequences), self.architecture.classes), np.float32)
        for rows, read, lengths in length_batches(sequences, self.device):
            before = tuple(torch.as_tensor(part[rows], device=self.device)[None] for part in states)
            with torch.inference_mode():
                states_after = stack_first(self.network.run(read, state=before))
                logits = self.network.read_out(last_of(states_after, lengths))
                probabilities[rows] = self.network.activate(logits)[0].cpu().numpy()
        return probabilities

    def _predict_after(
        self, states: tuple[Float[np.ndarray, "N H"], ...], sequence: Sequences
    ) -> Float[np.ndarray, "N C"]:
        """The probability of each class after a sequence is read from each of N states: what each
        step reads is computed once for all."""
        network = self.network
        probabilities = np.empty((len(states[0]), self.architecture.classes), np.float32)
        ((_, read, _),) = length_batches(sequence, self.device)
        with torch.inference_mode():
            projected = [
                network.cell.project(vectors) for vectors in network.by_step(read).unbind(dim=1)
            ]
            for start in range(0, len(states[0]), STATES_AT_ONCE):
                rows = slice(start, start + STATES_AT_ONCE)
                state = tuple(
                    torch.tensor(part[rows], dtype=torch.float32, device=self.device)[None]
                    for part in states
                )
                for step in projected:
                    state = network.step(state, step.expand(-1, state[0].shape[1], -1))
                logits = network.read_out(state[0])
                probabilities[rows] = network.activate(logits)[0].cpu().numpy()
        return probabilities

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that the read-out gives at hidden states."""
        self._check_markov()
        rows = torch.tensor(np.asarray(hidden, np.float32), device=self.device)
        logits: Tensor = self.network.read_out(rows[None])[0]
        return self.network.activate(logits).cpu().numpy()

    def is_accepting(self, state: State) -> bool:
        """Whether the network predicts class 1 in a state."""
        self._check_markov()
        return int(self.network.read_out(state[0])[0, 0].argmax()) == 1

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "M C"]:
        """The probability of each class at each of the M positions of the sequences."""
        positions = Positions.of(sequences, self.architecture.target)
        probabilities = np.empty((positions.count, self.architecture.classes), np.float32)
        for rows, read, lengths in length_batches(sequences, self.device):
            with torch.inference_mode():
                shares = self.network.activate(self.network(read, lengths))[0].cpu().numpy()
            positions.fill(probabilities, rows, shares)
        return probabilities

    def forward_pass(self, read: Inputs, lengths: Int[Tensor, "1 B"]) -> ForwardPass:
        """Every state that a batch leaves, the initial one first, and the class probabilities.

        Of one with attention that feeds back also the class that it predicts after each prefix."""
        network, a = self.network, self.architecture
        size = (read.shape[2] + 1, read.shape[1])
        with torch.inference_mode():
            states = tuple(torch.empty(*size, units, device=self.device) for units in a.sizes)
            for step, state in enumerate(network.run(read)):
                # What a state remembers beside its parts is not kept.
                for part, after in zip(states, state, strict=False):
                    part[step] = after[0]
            taken = TARGETS[a.target].take(states[0][None], lengths)
            logits = network.read_out(taken.flatten(1, 2))
            probabilities = network.activate(logits.view(*taken.shape[1:3], -1))
            if not a.attends:
                return ForwardPass(states, probabilities)
            predictions = network.read_out(states[0][None].flatten(1, 2))[0].argmax(dim=-1)
        return ForwardPass(states, probabilities, predictions.view(size))

    def differentiable(self) -> DifferentiableClassifier:
        """The network as gradients go back through it."""
        return DifferentiableClassifier(self.network)

    def attention(self, sequences: Sequences) -> list[Float[np.ndarray, " T"]]:
        """The attention weight of each symbol of each sequence; those of a sequence sum to 1.

        Raises:
            ModelError: the prediction does not come from all hidden states."""
        pooling, attention = self.network.pooling, [np.empty(0, np.float32)] * len(sequences)
        if not isinstance(pooling, Attention):
            raise ModelError(
                f"expected a network with attention over its hidden states, got {self.name}"
            )
        for rows, read, lengths in length_batches(sequences, self.device):
            with torch.inference_mode():
                weights = (
                    pooling.weights(self.network.hidden_states(read), lengths)[0].cpu().numpy()
                )
            for column, row in enumerate(rows):
                attention[row] = weights[: lengths[0, column], column]
        return attention

    def write(self, folder: Path) -> None:
        """Write `weights.safetensors` and `model.json`."""
        weights = save({name: value.contiguous() for name, value in self.weights.items()})
        # Not save_file, whose error on a full disk is no OSError.
        (folder / "weights.safetensors").write_bytes(weights)
        about = {
            "schema": SCHEMA,
            "architecture": asdict(self.architecture),
            "alphabet": self.alphabet.to_json(),
            "classes": self.classes,
            "seed": self.seed,
            "history": {name: list(curve) for name, curve in self.history.items()},
            "best_epoch": self.best_epoch,
            "restarts": self.restarts,
        }
        (folder / "model.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> TrainedModel:
        """The network that `write` left in `folder`, on the CPU.

        Raises:
            ModelError: the weights are damaged or of other sizes than the description says.
            SchemaError: it was written by another version."""
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if about["schema"] != SCHEMA:
            raise SchemaError(
                f"expected a network of schema {SCHEMA}, got {about['schema']}; train it again"
            )
        try:
            weights = load_file(folder / "weights.safetensors")
        except SafetensorError as error:
            raise ModelError(f"the weights in {folder} cannot be read: {error}") from None
        return cls(
            architecture=Architecture(**about["architecture"]),
            weights=weights,
            alphabet=Alphabet.from_json(about["alphabet"]),
            classes=tuple(about["classes"]),
            seed=about["seed"],
            history=about["history"],
            best_epoch=about["best_epoch"],
            restarts=about["restarts"],
        )
