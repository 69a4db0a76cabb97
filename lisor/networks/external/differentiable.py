"""A torch module that was trained elsewhere, as gradients go back through it.

Gradients end where symbols become numbers: at the rows of a table of vectors that the module looks
up, at one-hot vectors, at numbers that symbols are turned into. Which of them belongs to which step
is found by calls with other symbols.

Shapes: B sequences of a batch, T steps, W numbers of the vector of a step, D of a row, C classes or
numbers, L positions, E symbols before each sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import embedding, nll_loss, one_hot
from torch.overrides import TorchFunctionMode

from lisor.errors import ModelError
from lisor.networks.batches import Inputs
from lisor.networks.external.calls import reason
from lisor.networks.external.layout import Layout
from lisor.networks.external.reading import Reading
from lisor.networks.network import check_finite
from lisor.randomness import stream

ROWS = 64
"""Sequences of a call, always as many: what belongs to which step is found once for each length."""

MAX_LENGTHS = 256
"""Lengths of sequences for which that is remembered."""

CLOSE = 1e-3
"""By how much scores may differ that are the same but for rounding."""

TRIED_STEPS = 4
"""Steps of the sequences on which gradients are tried."""

CONVERSIONS = (Tensor.float, Tensor.double, Tensor.half, Tensor.to, Tensor.type, Tensor.type_as)


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What became numbers at one point of a call: R whole numbers, and the row of D numbers that
    each became."""

    numbers: Int[Tensor, " R"]
    rows: Float[Tensor, "R D"]


class Lookups(TorchFunctionMode):
    """A call during which whole numbers that become rows of numbers are noted, and other rows put
    in their place where `replace` gives some: of the number of the point, from 0, and its rows."""

    def __init__(self, replace: Callable[[int, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self._replace = replace
        self._one_hot: list[tuple[Tensor, Tensor]] = []
        self.noted: list[Lookup] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """What an operator returns."""
        output = func(*args, **(kwargs or {}))
        numbers = self._looked_up(func, args, kwargs or {}, output)
        if numbers is None:
            return output
        rows = output.reshape(numbers.numel(), -1)
        self.noted.append(Lookup(numbers=numbers.detach().flatten().clone(), rows=rows))
        if self._replace is None:
            return output
        return self._replace(len(self.noted) - 1, rows).view(output.shape)

    def _looked_up(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Tensor | None:
        """The whole numbers that an operator made numbers of, if it did."""
        given = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
        if func is one_hot:
            self._one_hot.append((output, given[0]))
            return None
        if not isinstance(output, Tensor) or not output.is_floating_point() or not output.numel():
            return None
        if func in CONVERSIONS:
            hot = next((numbers for made, numbers in self._one_hot if made is given[0]), None)
            return hot if hot is not None else given[0] if _is_whole(given[0]) else None
        if func is Tensor.__getitem__ and _is_whole(args[1]) and args[0].ndim == 2:
            return args[1]  # type: ignore[no-any-return]
        if func in (embedding, torch.embedding, torch.index_select):
            return next((one for one in given if _is_whole(one)), None)
        return None


@dataclass(frozen=True, kw_only=True)
class Slot:
    """R rows of a lookup, the sequences and steps that they belong to, and which numbers of the
    vectors of these steps they are: from `begin` up to `end`."""

    lookup: int
    rows: Int[Tensor, " R"]
    sequences: Int[Tensor, " R"]
    steps: Int[Tensor, " R"]
    begin: int
    end: int


class DifferentiableModule:
    """A module, called as its `layout` says with the symbols `begun` before each sequence, whose
    outputs are read by `reading`.

    The vector of a step is all that the module made of its symbol, side by side.

    Raises:
        ModelError: no gradients go back to its symbols; why."""

    def __init__(
        self,
        module: nn.Module,
        name: str,
        symbols: int,
        layout: Layout,
        reading: Reading,
        begun: Int[Tensor, " E"],
    ) -> None:
        self._module, self._name, self._symbols = module, name, symbols
        self._layout, self._reading, self._begun = layout, reading, begun
        self._slots = lru_cache(MAX_LENGTHS)(self._find_slots)
        self._sizes: dict[int, list[torch.Size]] = {}
        self._check()

    def vectors(self, read: Inputs) -> Float[Tensor, "B T W"]:
        """The vector of each step."""
        return torch.cat([self._vectors(words)[:count] for words, count in _in_calls(read[0])])

    def scores(self, read: Inputs, vectors: Float[Tensor, "B T W"]) -> Float[Tensor, "B C"]:
        """The log-probability of each class after the last step, or the numbers, where the vectors
        of the steps are these."""
        parts = vectors.split(ROWS)
        scores = [
            self._scores(words, _filled(part))[:count]
            for (words, count), part in zip(_in_calls(read[0]), parts, strict=True)
        ]
        return torch.cat(scores)

    def parameter_gradients(
        self, read: Inputs, labels: Shaped[Tensor, "B L *C"]
    ) -> Mapping[str, Float[Tensor, "..."]]:
        """The gradient of the mean loss over the positions at which the module has outputs, by
        parameter."""
        words = read[0] if read.shape[1] > 1 else read[0].expand(2, -1)
        with _trainable(self._module) as parameters:
            outputs = self._reading.through(self._outputs(words)[: read.shape[1]])
            count = min(outputs.shape[1], labels.shape[1])
            outputs, known = outputs[:, -count:].flatten(0, 1), labels[:, -count:].flatten(0, 1)
            is_class = not known.is_floating_point()
            loss = nll_loss(outputs, known) if is_class else (outputs - known).square().mean()
            gradients = torch.autograd.grad(loss, [*parameters.values()], allow_unused=True)
        return {
            name: torch.zeros_like(value) if gradient is None else gradient
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }

    def _outputs(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B L C"]:
        """The outputs after each symbol, or after the last one alone."""
        outputs = self._layout(torch.cat([self._begun.expand(len(words), -1), words], dim=1))
        return outputs if self._layout.is_per_step else outputs[:, None]

    def _vectors(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B T W"]:
        mode = Lookups()
        with torch.no_grad(), mode:
            self._outputs(words)
        slots = self._slots(words.shape[1])
        vectors = torch.zeros(*words.shape, max(slot.end for slot in slots))
        for slot in slots:
            rows = mode.noted[slot.lookup].rows[slot.rows].float().cpu()
            vectors[slot.sequences, slot.steps, slot.begin : slot.end] = rows
        return vectors

    def _scores(
        self, words: Int[Tensor, "B T"], vectors: Float[Tensor, "B T W"]
    ) -> Float[Tensor, "B C"]:
        slots = self._slots(words.shape[1])

        def replace(number: int, rows: Float[Tensor, "R D"]) -> Float[Tensor, "R D"]:
            for slot in slots:
                if slot.lookup == number:
                    new = vectors[slot.sequences, slot.steps, slot.begin : slot.end]
                    rows = rows.index_put((slot.rows.to(rows.device),), new.to(rows))
            return rows

        with Lookups(replace):
            outputs = self._outputs(words)[:, -1]
        return self._reading.through(outputs)

    def _find_slots(self, steps: int) -> list[Slot]:
        """The rows that belong to the steps of sequences of one length.

        Each step of each sequence has a number. A row belongs to a step if its whole number is
        another one in the calls in which the bits of the step's number are the symbols.

        Raises:
            ModelError: no row belongs to a step, or one to several."""
        count = ROWS * steps
        codes = 1 + torch.arange(count).view(ROWS, steps)
        base = self._note(torch.zeros_like(codes))
        belongs = [torch.zeros_like(one.numbers) for one in base]
        for bit in range(count.bit_length()):
            for code, one, other in zip(belongs, base, self._note(codes >> bit & 1), strict=True):
                code += (one.numbers != other.numbers).long() << bit
        self._check_apart(base, belongs, steps)
        slots, taken = list[Slot](), torch.zeros(count, dtype=torch.long)
        begins, end = dict[tuple[int, int], int](), 0
        for number, (code, one) in enumerate(zip(belongs, base, strict=True)):
            rows, width = code.nonzero().flatten(), one.rows.shape[1]
            at = code[rows] - 1
            for turn in taken[at].unique().tolist():
                chosen = taken[at] == turn
                if (turn, width) not in begins:
                    begins[turn, width], end = end, end + width
                slots.append(
                    Slot(
                        lookup=number,
                        rows=rows[chosen],
                        sequences=at[chosen] // steps,
                        steps=at[chosen] % steps,
                        begin=begins[turn, width],
                        end=begins[turn, width] + width,
                    )
                )
            taken[at] += 1
        return slots

    def _check_apart(
        self, base: list[Lookup], belongs: list[Int[Tensor, " R"]], steps: int
    ) -> None:
        """Raises ModelError where a row belongs to no step alone, or twice to one, or none to
        any."""
        words = torch.from_numpy(stream(0, "words looked up").integers(2, size=(ROWS, steps)))
        ones = self._note(torch.ones_like(words))
        for code, zero, one, noted in zip(belongs, base, ones, self._note(words), strict=True):
            is_one = words.flatten()[(code - 1).clamp_min(0).clamp_max(words.numel() - 1)] == 1
            expected = torch.where(is_one & (code > 0), one.numbers, zero.numbers)
            at = code[code > 0]
            if (code > words.numel()).any() or not torch.equal(expected, noted.numbers):
                raise ModelError("it looks up what several symbols make together")
            if len(at.unique()) < len(at):
                raise ModelError("it looks a symbol up several times at once")
        if not any(code.any() for code in belongs):
            raise ModelError(
                "no lookup of its symbols is seen, as in scripted and quantised modules"
            )

    def _note(self, words: Int[Tensor, "B T"]) -> list[Lookup]:
        """What became numbers in a call.

        Raises:
            ModelError: it is not as much as for other words."""
        mode = Lookups()
        with torch.no_grad(), mode:
            self._outputs(words)
        sizes = [one.rows.shape for one in mode.noted]
        if self._sizes.setdefault(words.shape[1], sizes) != sizes:
            raise ModelError("which symbols it looks up depends on the symbols")
        return mode.noted

    def _check(self) -> None:
        """Raises ModelError where no gradients go back to the symbols of random words."""
        rng = stream(0, "words that try gradients")
        words = torch.from_numpy(rng.integers(self._symbols, size=(ROWS, TRIED_STEPS)))
        try:
            if self._symbols < 2:
                raise ModelError("there is one symbol alone")
            vectors = self.vectors(words[None]).requires_grad_()
            scores = self.scores(words[None], vectors)
            with torch.no_grad():
                expected = self._reading.through(self._outputs(words)[:, -1])
            if not torch.allclose(scores, expected, rtol=CLOSE, atol=CLOSE):
                raise ModelError("its outputs do not follow from what it looks up")
            if not scores.requires_grad:
                raise ModelError("its outputs are cut off from them (no_grad, detach)")
            (gradient,) = torch.autograd.grad(scores[:, 0].sum(), vectors)
            check_finite("gradients", gradient.numpy())
        except (ModelError, RuntimeError, NotImplementedError) as error:
            why = str(error) if isinstance(error, ModelError) else reason(error)
            raise ModelError(
                f"no gradients go back from the outputs of {self._name} to its symbols: {why}"
            ) from None


def _in_calls(words: Int[Tensor, "B T"]) -> Iterator[tuple[Int[Tensor, "R T"], int]]:
    """The words in batches of `ROWS`, the last one filled up, and how many of each are meant."""
    for batch in words.split(ROWS):
        yield _filled(batch), len(batch)


def _filled(rows: Tensor) -> Tensor:
    """As many rows as a call has, by more of the first where there are fewer."""
    return torch.cat([rows, rows[:1].expand(ROWS - len(rows), *rows.shape[1:])])


def _is_whole(value: Any) -> bool:
    """Whether it is a tensor of whole numbers."""
    return (
        isinstance(value, Tensor)
        and not value.is_floating_point()
        and not value.is_complex()
        and value.dtype != torch.bool
    )


@contextmanager
def _trainable(module: nn.Module) -> Iterator[dict[str, nn.Parameter]]:
    """The parameters of a module by their names, of which all have gradients meanwhile.

    Raises:
        ModelError: it has none, or gradients do not go back to them."""
    parameters = {name: one for name, one in module.named_parameters() if one.is_floating_point()}
    before = {name: one.requires_grad for name, one in parameters.items()}
    if not parameters:
        raise ModelError("it has no parameters")
    try:
        for one in parameters.values():
            one.requires_grad_()
        yield parameters
    except (RuntimeError, NotImplementedError) as error:
        raise ModelError(f"no gradients go back to its parameters: {reason(error)}") from None
    finally:
        for name, one in parameters.items():
            one.requires_grad_(before[name])
