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
from lisor.networks.batches import equal_batches
from lisor.networks.external.adapter import MAX_BATCH, Adapter, check_size, check_words
from lisor.networks.external.differentiable import DifferentiableModule
from lisor.networks.external.layers import reads_backwards, recurrent_layers
from lisor.networks.external.layout import Layout
from lisor.networks.external.pools import ATTENTION
from lisor.networks.external.reading import Meaning, make_reading
from lisor.networks.external.recurrence import OUTPUT, Part
from lisor.networks.external.rounding import bound_of
from lisor.networks.external.steppers import find_stepper
from lisor.networks.network import States, check_finite
from lisor.networks.pools.attention import shares_of
from lisor.randomness import stream
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

DROPPING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
"""Layers whose outputs for the same words differ while their module is in training mode."""

EXTREME = 100.0
"""How far from 0 the read-out is tried: a linear one then leaves 0 … 1, a sigmoid or softmax never
does."""


class ModuleNetwork(Adapter):
    """Any torch module with a recurrent network inside, called as its owner calls it.

    How it is called and where its outputs stand is found by `Layout`, the state machine in it by
    `find_stepper`. The cell states of LSTMs are a part of the state by themselves unless the
    outputs look at them. All that holds only if the outputs follow from the state, which is put to
    the test on random words.

    A module with an output after each symbol has the target `step`, and one with an output after
    the last symbol the target `class`, unless its outputs have another `meaning`. What it puts out
    for an empty sequence is not asked: the next symbol there, or a class, is read out at the state
    in which it begins. The module is left as it is, and is not to be changed afterwards.

    Raises:
        ModelError: the module cannot be called with the symbols, is in training mode with dropout,
            has no recurrent state, or its outputs come from more than that, or are not those of
            the target."""

    def __init__(
        self,
        module: nn.Module,
        alphabet: Sequence[str],
        classes: Sequence[str] | None = None,
        meaning: Meaning | None = None,
    ) -> None:
        self.name, self.alphabet = one_line(type(module).__name__, 40), Alphabet.of(alphabet)
        self._module = module
        self._lock = Lock()
        _check_mode(module, self.name)
        embeddings = [part for part in module.modules() if isinstance(part, nn.Embedding)]
        self.known_symbols = embeddings[0].num_embeddings if len(embeddings) == 1 else None
        width = None if classes is None else len(classes)
        meaning = meaning or Meaning()
        if meaning.is_next:
            width = len(alphabet) + (meaning.end is None)
        self._layout = Layout(module, len(alphabet), width)
        self.target = self._find_target(meaning.target)
        self.reads_empty = TARGETS[self.target].is_distribution
        words = [torch.from_numpy(batch) for batch in check_words(len(self.alphabet))]
        with torch.inference_mode():
            outputs = torch.cat([self._layout.last(batch) for batch in words])
            check_finite("outputs", outputs.numpy())
            rounding = self._rounding(module, words[-1])
        try:
            self._stepper, self._unread = find_stepper(
                module, self._layout.last, len(self.alphabet), words, outputs, rounding
            )
        except ModelError as error:
            raise ModelError(_refusal(module, self.name, str(error))) from None
        self.parts = ("state", "cell_state")[: 1 + any(self._unread)]
        self.layers = self._name_layers()
        begun = [] if meaning.begin is None else [self.alphabet.symbols.index(meaning.begin)]
        self._begun = torch.tensor(begun, dtype=torch.long)
        self.initial = self._join(self._stepper.initial or [])
        check_size(self)
        seen = outputs.numpy()
        # An output that is a part of the state is read out as it is, so that none is extreme.
        is_part = any(part.operator == OUTPUT for part in self._stepper.parts)
        extreme = seen if is_part else self._extreme_outputs(len(seen))
        self._reading = make_reading(
            self.target, seen, extreme, alphabet=self.alphabet, classes=classes, end=meaning.end
        )
        self.classes = self._reading.classes
        if len(self._begun):
            self.initial = self.advance(self.initial, self._begun.numpy())

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
        """The probability of each class, or the numbers, at each of the M positions, by the module
        itself, but for the next symbol where it has an output after the last one alone."""
        if self.reads_empty and not self._layout.is_per_step:
            return super().predict(sequences)
        positions, lengths = Positions.of(sequences, self.target), sequences.lengths
        probabilities = np.empty((positions.count, len(self.classes)), np.float32)
        begin = self.probabilities(self.initial[0])
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            words = torch.from_numpy(sequences.select(rows).padded().astype(np.int64))
            words = torch.cat([self._begun.expand(len(words), -1), words], dim=1)
            (outputs,) = self._in_batches(lambda batch: [self._layout(batch)], words)
            flat = self._reading(outputs.numpy().reshape(-1, outputs.shape[-1]))
            read = flat.reshape(len(rows), -1, len(self.classes))
            if self.reads_empty and not len(self._begun):
                first = np.broadcast_to(begin[:, None], (len(rows), *begin.shape))
                read = np.concatenate([first, read], axis=1)
            positions.fill(probabilities, rows, read)
        empty = np.flatnonzero((lengths == 0) & (positions.counts > 0))
        positions.fill(probabilities, empty, np.repeat(begin[:, None], len(empty), axis=0))
        return probabilities

    def differentiable(self) -> DifferentiableModule:
        """The module as gradients go back through it.

        Raises:
            ModelError: none go back to its symbols; why."""
        return DifferentiableModule(
            self._module,
            self.name,
            len(self.alphabet),
            self._layout,
            self._reading,
            self._begun,
        )

    def attention(self, sequences: Sequences) -> list[Float[np.ndarray, " T"]]:
        """The attention weight of each symbol of each sequence, of several scores the mean.

        Raises:
            ModelError: it pools nothing by attention."""
        if not any(part.operator == ATTENTION for part in self._stepper.parts):
            raise ModelError(f"{self.name} does not weigh its steps by attention")
        weights = [np.empty(0, np.float32)] * len(sequences)
        for rows, read in equal_batches(sequences, self.device):
            words = read[0].numpy()
            steps = self._run(self._begin(len(words)), words, np.full(*words.shape))
            kept = [self._attention_weights(states) for states in [*steps][1:]]
            shares = shares_of(torch.stack(kept)).mean(dim=2).float().numpy()
            for row, share in zip(rows, shares.T, strict=True):
                weights[row] = share
        return weights

    def _attention_weights(self, states: States) -> Float[Tensor, "N K"]:
        """What is kept in states of the weights that attention has given so far."""
        parts = zip(self._stepper.parts, self._split(states), strict=True)
        return torch.cat([state for part, state in parts if part.operator == ATTENTION], dim=1)

    def _find_target(self, wanted: str | None) -> str:
        """The target that is wanted, or else that of the outputs.

        Raises:
            ModelError: the outputs do not stand where the target has its positions."""
        per_step = self._layout.is_per_step
        if wanted is None:
            return "step" if per_step else "class"
        kind = TARGETS[wanted]
        # The next symbol after each prefix follows from the state, whichever outputs there are.
        if not kind.is_distribution and kind.predicts_once == per_step:
            meant, given = ("sequence", "symbol") if per_step else ("symbol", "sequence")
            raise ModelError(
                f"expected outputs after each {meant}, as the target {wanted} has them, got one "
                f"after each {given} from {self.name}"
            )
        return wanted

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
        return max(bound_of(one.dtype for one in module.parameters()), 2 * apart)

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
            numbers = torch.from_numpy(np.require(state, np.float32, "W"))
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
    drops = any(part.training for part in dropping)
    if drops or any(
        one.training and one.dropout and one.num_layers > 1 for one in recurrent_layers(module)
    ):
        raise ModelError(f"{name} is in training mode, with dropout at work: call its eval() first")


def _refusal(module: nn.Module, name: str, why: str) -> str:
    """What a message says of a module in which no state machine was found."""
    if reads_backwards(module):
        return (
            f"{name} is no state machine: its bidirectional layer looks at what is still to come, "
            "which no automaton can; train one that reads forwards alone"
        )
    return (
        f"{name} is no state machine: {why}; if there is one inside, give it as an object with "
        "initial_state(), step(state, symbol) and scores(state)"
    )
