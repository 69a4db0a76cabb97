"""A torch module with a recurrent network inside, as extraction needs it.

Shapes: N states or sequences, H numbers of a part of a state, C classes, B sequences of a batch, T
steps, M positions of sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.alphabet import Alphabet
from lisor.errors import ModelError, one_line
from lisor.networks.external.adapter import MAX_BATCH, Adapter, Reading, check_size, check_words
from lisor.networks.external.layout import Layout
from lisor.networks.external.recurrence import Part
from lisor.networks.external.steppers import find_stepper
from lisor.networks.network import ForwardPass, States, check_finite
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

DROPPING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
"""Layers whose outputs for the same words differ while their module is in training mode."""

EXTREME = 100.0
"""How far from 0 the read-out is tried: a linear one then leaves 0 … 1, a sigmoid or softmax never
does."""

EXACT, ROUNDED = 1e-3, 8
"""How much outputs may differ that are the same but for rounding: a share, or so many times the
smallest step of the module's numbers."""


class ModuleNetwork(Adapter):
    """Any torch module with a recurrent network inside, called as its owner calls it.

    How it is called and where its outputs stand is found by `Layout`, the state machine in it by
    `find_stepper`. The cell states of LSTMs are a part of the state by themselves unless the
    outputs look at them. All that holds only if the outputs follow from the state, which is put to
    the test on random words.

    A module with an output after each symbol has the target `step`. What it puts out for an empty
    sequence is not asked. The module is left as it is, and is not to be changed afterwards.

    Raises:
        ModelError: the module cannot be called with the symbols, is in training mode with dropout,
            has no recurrent state, or its outputs come from more than that."""

    reads_empty = False

    def __init__(
        self, module: nn.Module, alphabet: Sequence[str], classes: Sequence[str] | None = None
    ) -> None:
        self.name, self.alphabet = one_line(type(module).__name__, 40), Alphabet.of(alphabet)
        self._lock = Lock()
        _check_mode(module, self.name)
        embeddings = [part for part in module.modules() if isinstance(part, nn.Embedding)]
        self.known_symbols = embeddings[0].num_embeddings if len(embeddings) == 1 else None
        self._layout = Layout(module, len(alphabet), None if classes is None else len(classes))
        self.target = "step" if self._layout.is_per_step else "class"
        words = [torch.from_numpy(batch) for batch in check_words(len(self.alphabet))]
        with torch.inference_mode():
            outputs = torch.cat([self._layout.last(batch) for batch in words])
            check_finite("outputs", outputs.numpy())
            rounding = self._rounding(module, words[-1])
        try:
            self._stepper, self._unread = find_stepper(
                self._layout.last, len(self.alphabet), words, outputs, rounding
            )
        except ModelError as error:
            raise ModelError(_refusal(module, self.name, str(error))) from None
        self.parts = ("state", "cell_state")[: 1 + any(self._unread)]
        self.layers = self._name_layers()
        self.initial = self._join(self._stepper.initial or [])
        check_size(self)
        seen = outputs.numpy()
        self._reading = Reading(seen, self._extreme_outputs(len(seen)), classes)
        self.classes = self._reading.classes

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""
        if not len(symbols):
            return states
        read = torch.as_tensor(symbols, dtype=torch.long)
        after = self._in_batches(self._step, *self._split(states), read)
        joined = self._join(after)
        for part in joined:
            check_finite("hidden states", part)
        return joined

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that the module's read-out gives at hidden states."""
        if not len(hidden):
            return np.empty((0, len(self.classes)), np.float32)
        return self._reading(self._read_out(hidden))

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "M C"]:
        """The probability of each class at each of the M positions, by the module itself."""
        positions, lengths = Positions.of(sequences, self.target), sequences.lengths
        probabilities = np.empty((positions.count, len(self.classes)), np.float32)
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            words = torch.from_numpy(sequences.select(rows).padded().astype(np.int64))
            (outputs,) = self._in_batches(lambda batch: [self._layout(batch)], words)
            flat = self._reading(outputs.numpy().reshape(-1, outputs.shape[-1]))
            positions.fill(probabilities, rows, flat.reshape(len(rows), -1, len(self.classes)))
        empty = np.flatnonzero(lengths == 0)
        if self.target == "class" and len(empty):
            begin = self.probabilities(self.initial[0])
            positions.fill(probabilities, empty, np.repeat(begin[:, None], len(empty), axis=0))
        return probabilities

    def forward_pass(
        self, symbols: Int[Tensor, "1 B T"], lengths: Int[Tensor, "1 B"]
    ) -> ForwardPass:
        """Every state that a batch leaves, the initial one first, and the class probabilities at
        its positions."""
        read, ends = symbols[0].numpy(), lengths[0].numpy()
        steps = self._run(self._begin(len(read)), read, ends)
        states = tuple(torch.from_numpy(np.stack(part)) for part in zip(*steps, strict=True))
        words = Sequences.from_lists([row[:end] for row, end in zip(read, ends, strict=True)])
        mask = Positions.of(words, self.target).mask(np.arange(len(words)))
        probabilities = np.zeros((*mask.shape, len(self.classes)), np.float32)
        probabilities[mask] = self.predict(words)
        return ForwardPass(states, torch.from_numpy(probabilities))

    def _step(self, *rows: Tensor) -> list[Tensor]:
        *states, symbols = rows
        return self._stepper.step(states, symbols)

    def _read_out(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """What the module puts out in states whose cell states nobody looks at."""
        sizes = [part.size for part, unread in self._described if unread]
        rest = (np.zeros((len(hidden), sum(sizes)), np.float32),) if sizes else ()
        (outputs,) = self._in_batches(
            lambda *states: [self._stepper.read_out(states)], *self._split((hidden, *rest))
        )
        return outputs.numpy()

    def _extreme_outputs(self, count: int) -> Float[np.ndarray, "N C"]:
        """What is read out at states that no word leads to."""
        rng = stream(0, "extreme states")
        return self._read_out(EXTREME * rng.standard_normal((count, self.sizes[0])))

    def _rounding(self, module: nn.Module, words: Int[Tensor, "B T"]) -> float:
        """By which share outputs may differ that are the same: the same words in other batches show
        how far those of quantised modules do."""
        half = len(words) // 2
        whole, halves = self._layout.last(words), map(self._layout.last, words.split(half))
        apart = float((whole - torch.cat([*halves])).abs().max() / (0.1 * (1 + whole.abs().max())))
        types = {one.dtype for one in module.parameters() if one.is_floating_point()}
        smallest = max((torch.finfo(one).eps for one in types), default=0.0)
        return max(EXACT, ROUNDED * smallest, 2 * apart)

    @property
    def _described(self) -> list[tuple[Part, bool]]:
        """The parts of a state of the stepper, and whether its outputs do not look at them."""
        return list(zip(self._stepper.parts, self._unread, strict=True))

    def _join(self, states: Sequence[Float[Tensor, "N H"]]) -> States:
        """The machine's states as those of a network: what is read out, and the cell states if they
        are not."""
        read, unread = list[Tensor](), list[Tensor]()
        for state, is_unread in zip(states, self._unread, strict=True):
            (unread if is_unread else read).append(state)
        return tuple(torch.cat(part, dim=1).numpy() for part in (read, unread) if part)

    def _split(self, states: States) -> list[Float[Tensor, "N H"]]:
        """The states of a network as the machine's."""
        apart = []
        for is_unread, state in enumerate(states):
            sizes = [part.size for part, unread in self._described if unread == is_unread]
            numbers = torch.from_numpy(np.asarray(state, np.float32))
            apart.append(iter(numbers.split(sizes, dim=1)))
        return [next(apart[is_unread]) for _, is_unread in self._described]

    def _in_batches(self, function: Callable[..., list[Tensor]], *rows: Tensor) -> list[Tensor]:
        """What a function makes of many rows, of a limited number at a time, and of never fewer
        than two: a module may take the axis of a single one away."""
        count = len(rows[0])
        if count == 1:
            rows = tuple(one.expand(2, *one.shape[1:]) for one in rows)
        with self._lock, torch.inference_mode():
            batches = [
                function(*batch)
                for batch in zip(*(one.split(MAX_BATCH) for one in rows), strict=True)
            ]
        return [torch.cat(part)[:count] for part in zip(*batches, strict=True)]

    def _name_layers(self) -> tuple[str, ...]:
        """The names of the layers whose units a state holds, if each has as many."""
        parts = [part for part, is_unread in self._described if not is_unread]
        names = [
            f"{part.kind}{f' layer {layer + 1}' if part.layers > 1 else ''}"
            f"{' cell' if part.is_cell else ''}"
            for part in parts
            for layer in range(part.layers)
        ]
        sizes = {part.size // part.layers for part in parts}
        if len(sizes) > 1 or not all(part.kind for part in parts):
            return (self.name,)
        twice = {name for name in names if names.count(name) > 1}
        return tuple(
            f"{name} {names[: at + 1].count(name)}" if name in twice else name
            for at, name in enumerate(names)
        )


def _check_mode(module: nn.Module, name: str) -> None:
    """Raises ModelError where dropout is at work."""
    dropping = [part for part in module.modules() if isinstance(part, DROPPING)]
    layers = [part for part in module.modules() if isinstance(part, nn.RNNBase)]
    drops = any(part.training for part in dropping)
    if drops or any(one.training and one.dropout and one.num_layers > 1 for one in layers):
        raise ModelError(f"{name} is in training mode, with dropout at work: call its eval() first")


def _refusal(module: nn.Module, name: str, why: str) -> str:
    """What a message says of a module in which no state machine was found."""
    if any(isinstance(part, nn.RNNBase) and part.bidirectional for part in module.modules()):
        return (
            f"{name} is no state machine: its bidirectional layer looks at what is still to come, "
            "which no automaton can; train one that reads forwards alone"
        )
    return (
        f"{name} is no state machine: {why}; if there is one inside, give it as an object with "
        "initial_state(), step(state, symbol) and scores(state)"
    )
