"""A torch module with one recurrent layer inside, stepped and read out as the module itself does
it.

Shapes: B sequences of a batch, T steps, N states, L layers, U units of a layer, H = L·U numbers of
a state, S symbols, D numbers of a symbol's vector, C classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lisor.alphabet import Alphabet
from lisor.errors import ModelError, one_line
from lisor.networks.external.adapter import (
    CHECKED_LENGTHS,
    Adapter,
    Reading,
    agree,
    as_rows,
    check_size,
    check_words,
)
from lisor.networks.external.calls import SHOWN, calling, reason
from lisor.networks.network import States, check_finite
from lisor.randomness import stream

DROPPING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
"""Layers whose outputs for the same words differ while their module is in training mode."""

EXTREME = 100.0
"""How far from 0 the read-out is tried: a linear one then leaves 0 … 1, a sigmoid or softmax never
does."""

EXACT, ROUNDED = 1e-3, 8
"""How much answers may differ that are the same but for rounding: a share, or so many times the
smallest step of the module's numbers."""


class ModuleNetwork(Adapter):
    """Any torch module with exactly one torch.nn.RNN, GRU or LSTM inside, called with symbols
    alone.

    What stands before the layer must make a vector of each symbol by itself; each is asked of the
    module. The layer is stepped. Its state is that of all layers, h and for an LSTM c; where an
    LSTM's answer is read from c, both side by side are one part. To read a state out, the module is
    run on any symbol while the layer's output is replaced by that state, so that any read-out
    works. All that holds only if the module's answer follows from the last state, which is put to
    the test on random words.

    Torch's recurrent layers do not read an empty sequence, so that a module has never answered one.
    The module is left as it is, and is not to be changed afterwards: the vectors of symbols are
    remembered.

    Raises:
        ModelError: there is no recurrent layer or more than one, it is bidirectional, the module
            does not read the symbols, is in training mode with dropout, or its answer comes from
            more than the last state."""

    reads_empty = False

    def __init__(
        self, module: nn.Module, alphabet: Sequence[str], classes: Sequence[str] | None = None
    ) -> None:
        self._module, self._layer, self.alphabet = module, find_layer(module), Alphabet.of(alphabet)
        self._lock = Lock()
        embeddings = [
            part.num_embeddings for part in module.modules() if isinstance(part, nn.Embedding)
        ]
        self.known_symbols = embeddings[0] if len(embeddings) == 1 else None
        kind, count = self._layer.mode.partition("_")[0].lower(), self._layer.num_layers
        self.name = one_line(type(module).__name__, 40)
        self.layers = (
            tuple(f"{kind} layer {number}" for number in range(1, count + 1))
            if count > 1
            else (kind,)
        )
        self.parts = ("state", "cell_state") if kind == "lstm" else ("state",)
        weight = next(self._layer.parameters())
        self._dtype, self._on = weight.dtype, weight.device
        self._reads_cell = False
        self._reads_one_hot, self._time_first = self._find_layout()
        self._vectors, self.initial = self._ask_vectors()
        check_size(self)
        direct = self._direct_predictions()
        check_finite("answers", direct)
        rounding = max(EXACT, ROUNDED * torch.finfo(self._dtype).eps)
        follows = agree(direct, self._stepped_predictions(), rounding).all()
        if not follows and kind == "lstm":
            self._read_cell()
            follows = agree(direct, self._stepped_predictions(), rounding).all()
        size = (len(direct), self.state_size)
        extreme = EXTREME * stream(0, "extreme states").standard_normal(size)
        self._reading = Reading(direct, self._read_out(extreme), classes)
        self.classes = self._reading.classes
        if not follows:
            raise ModelError(
                f"the answer of {self.name} comes from more than the last state of its recurrent "
                "layer (attention or pooling over steps, positions, or a way around the layer): it "
                "is no state machine"
            )

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""
        if not len(symbols):
            return states
        axis = 1 if self._layer.batch_first else 0
        before = tuple(self._stack(part) for part in self._apart(states))
        with torch.no_grad():
            read = self._vectors[
                torch.tensor(symbols, dtype=torch.long, device=self._vectors.device)
            ]
            _, after = self._layer(read.unsqueeze(axis), before if len(before) > 1 else before[0])
            parts = after if isinstance(after, tuple) else (after,)
            flat = tuple(self._lay_flat(part) for part in parts)
        for part in flat:
            check_finite("hidden states", part)
        return (np.concatenate(flat, axis=1),) if self._reads_cell else flat

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that the module's read-out gives at hidden states."""
        if not len(hidden):
            return np.empty((0, len(self.classes)), np.float32)
        return self._reading(self._read_out(hidden))

    def _read_out(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """What the module answers when its recurrent layer ends in these states."""
        last, *cells = (self._stack(part) for part in self._apart((hidden,)))
        output = last[-1].unsqueeze(1 if self._layer.batch_first else 0)
        # A cell state is not known where a center is read out: a module that looks at it shows by
        # what is not a number.
        ends = (
            (last, *cells, torch.full_like(last, torch.nan))[:2]
            if self._layer.mode == "LSTM"
            else last
        )
        with self._lock, _hooked(self._layer.register_forward_hook(lambda *_: (output, ends))):
            return self._ask(np.zeros((len(hidden), 1), np.int64))

    def _read_cell(self) -> None:
        """Make h and c one part of the state, so that both are known wherever a state is read
        out."""
        self._reads_cell, self.parts = True, ("state",)
        self.layers += tuple(f"{layer} cell" for layer in self.layers)
        self.initial = (np.concatenate(self.initial, axis=1),)

    def _apart(self, states: States) -> States:
        """The parts of states as the layer takes them, each by itself."""
        return tuple(np.split(states[0], 2, axis=1)) if self._reads_cell else states

    def _ask(self, words: Int[np.ndarray, "B T"]) -> Float[np.ndarray, "B C"]:
        """The module's own answer to words of equal length."""
        with torch.no_grad():
            output = self._call(
                words, one_hot_vectors=self._reads_one_hot, time_first=self._time_first
            )
        while isinstance(output, tuple | list) and output:
            output = output[0]
        if not isinstance(output, Tensor):
            raise ModelError(
                f"expected a tensor of answers from {self.name}, got "
                f"{one_line(type(output).__name__, SHOWN)}; return its tensor alone"
            )
        return as_rows(output.float().cpu().numpy(), len(words))

    def _call(
        self, words: Int[np.ndarray, "B T"], *, one_hot_vectors: bool, time_first: bool
    ) -> Any:
        read = torch.from_numpy(np.ascontiguousarray(words.T if time_first else words, np.int64))
        read = read.to(self._on)
        form = "one-hot vectors of" if one_hot_vectors else "a batch of"
        with calling(f"{self.name} called with {form} symbols 0 … {len(self.alphabet) - 1}"):
            return self._module(
                one_hot(read, len(self.alphabet)).to(self._dtype) if one_hot_vectors else read
            )

    def _find_layout(self) -> tuple[bool, bool]:
        """Whether the module reads one-hot vectors instead of symbol numbers, and whether time is
        its first axis.

        The axis that its recurrent layer takes for that of the sequences tells which the module
        does."""
        words, axis = np.zeros((3, 2), np.int64), 0 if self._layer.batch_first else 1
        failed = list[ModelError]()
        for vectors in (False, True):
            try:
                given, _ = self._given(words, one_hot_vectors=vectors, time_first=False)
            except ModelError as error:
                failed.append(error)
                continue
            sizes = (given.shape[axis], given.shape[1 - axis])
            if sizes in ((3, 2), (2, 3)):
                return vectors, sizes == (2, 3)
            raise ModelError(
                f"expected the recurrent layer of {self.name} to read one vector for each symbol, "
                f"but of 3 words of 2 symbols it read {sizes[0]} sequences of {sizes[1]} steps"
            )
        if failed[0].__cause__ is None:  # it took the numbers, but its layer did not read them so
            raise failed[0]
        as_numbers, as_vectors = (one_line(reason(one.__cause__ or one), 70) for one in failed)
        raise ModelError(
            f"{self.name} cannot be called with a batch of symbols 0 … {len(self.alphabet) - 1}: "
            f"not as numbers [B, T] ({as_numbers}), nor as one-hot vectors ({as_vectors}); wrap it "
            "so that it takes one of them"
        )

    def _ask_vectors(self) -> tuple[Float[Tensor, "S D"], States]:
        """What the recurrent layer reads for each symbol, and the parts of the state that it begins
        in."""
        words = np.arange(len(self.alphabet))[:, None]
        given, begin = self._given(
            words, one_hot_vectors=self._reads_one_hot, time_first=self._time_first
        )
        vectors = given.squeeze(1 if self._layer.batch_first else 0)
        if begin is None:
            empty = np.zeros((1, self._layer.num_layers * self._layer.hidden_size), np.float32)
            return vectors, (empty,) * len(self.parts)
        parts = begin if isinstance(begin, tuple) else (begin,)
        return vectors, tuple(self._lay_flat(part[:, :1]) for part in parts)

    def _given(
        self, words: Int[np.ndarray, "B T"], *, one_hot_vectors: bool, time_first: bool
    ) -> tuple[Tensor, Any]:
        """The input and the initial state, if any, that the recurrent layer is given when the
        module reads words."""
        caught: list[tuple[Any, Any]] = []

        def catch(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            given = dict(zip(("input", "hx"), arguments, strict=False)) | named
            caught.append((given["input"], given.get("hx")))

        with (
            self._lock,
            torch.no_grad(),
            _hooked(self._layer.register_forward_pre_hook(catch, with_kwargs=True)),
        ):
            self._call(words, one_hot_vectors=one_hot_vectors, time_first=time_first)
        if len(caught) != 1 or not isinstance(caught[0][0], Tensor) or caught[0][0].ndim != 3:
            raise ModelError(
                f"expected {self.name} to run its recurrent layer once, on a batch of sequences "
                "that is not packed"
            )
        return caught[0]

    def _direct_predictions(self) -> Float[np.ndarray, "N C"]:
        """The module's own answers to random words."""
        direct = []
        for words in check_words(len(self.alphabet)):
            direct.append(self._ask(words))
            if direct[-1].shape != direct[0].shape:
                raise ModelError(
                    f"expected as many numbers for each sequence from {self.name}, got "
                    f"{direct[0].shape[1]} for sequences of {CHECKED_LENGTHS[0]} symbol and "
                    f"{direct[-1].shape[1]} for those of {words.shape[1]}; a network that answers "
                    "at every step should return the answer of the last one"
                )
            if not np.array_equal(direct[-1], self._ask(words), equal_nan=True):
                raise ModelError(
                    f"{self.name} answers the same words differently each time; call its eval() "
                    "first"
                )
        return np.concatenate(direct)

    def _stepped_predictions(self) -> Float[np.ndarray, "N C"]:
        """The answers to the same words that are read out of its states, stepped one by one."""
        stepped = []
        for words in check_words(len(self.alphabet)):
            *_, last = self._run(
                self._begin(len(words)), words, np.full(len(words), words.shape[1])
            )
            stepped.append(self._read_out(last[0]))
        return np.concatenate(stepped)

    def _stack(self, part: Float[np.ndarray, "N H"]) -> Float[Tensor, "L N U"]:
        layers = torch.tensor(part, dtype=self._dtype, device=self._on).view(
            len(part), self._layer.num_layers, -1
        )
        return layers.transpose(0, 1).contiguous()

    def _lay_flat(self, part: Float[Tensor, "L N U"]) -> Float[np.ndarray, "N H"]:
        return part.transpose(0, 1).flatten(1).float().cpu().numpy()


def find_layer(module: nn.Module) -> nn.RNNBase:
    """The one recurrent layer inside a module.

    Raises:
        ModelError: there is none or more than one, it reads both ways, projects its state, or drops
            units."""
    layers = [part for part in module.modules() if isinstance(part, nn.RNNBase)]
    name = one_line(type(module).__name__, 40)
    if len(layers) != 1:
        raise ModelError(
            f"expected exactly one torch.nn.RNN, GRU or LSTM in {name}, found "
            f"{len(layers) or 'none'}; stack layers by num_layers, and give a cell of your own as "
            "an object with initial_state(), step(state, symbol) and is_accepting(state)"
        )
    (layer,) = layers
    if layer.bidirectional:
        raise ModelError(
            f"the {layer.mode.partition('_')[0]} in {name} is bidirectional: its state also looks "
            "at what is still to come, which no automaton can; train one that reads forwards alone"
        )
    if layer.proj_size:
        raise ModelError(
            "an LSTM with proj_size has a hidden and a cell state of different sizes: train one "
            "without"
        )
    drops = any(part.training and isinstance(part, DROPPING) for part in module.modules())
    if drops or (layer.training and layer.dropout and layer.num_layers > 1):
        raise ModelError(f"{name} is in training mode, with dropout at work: call its eval() first")
    return layer


@contextmanager
def _hooked(hook: Any) -> Iterator[None]:
    try:
        yield
    finally:
        hook.remove()
