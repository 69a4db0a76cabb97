"""One sequence, step by step: the automaton's states, the network's mind, what each symbol counts.

Shapes: T steps, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences
from lisor.data.text import tokenize
from lisor.errors import DataError
from lisor.explain.attention import attention, attention_matrix
from lisor.explain.gradients import attribute
from lisor.fsa.automaton import Automaton
from lisor.rnn.classifier import RECURRENT, TrainedModel

METHOD = "integrated-gradients"
"""How symbols are attributed in a walk."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A sequence of T symbols on its way through a network and an automaton.

    `states` are the automaton's and `probabilities` the network's of each class, the start first: T+1 of each.
    `attributions` are integrated gradients for `explained`, the class that the network answers. `attention` is the
    weight of each symbol, or for attention in the recurrence a row of weights for each step; else None. `known` tells
    which symbols the network knows; `label` is the true class where there is one."""

    symbols: tuple[str, ...]
    known: tuple[bool, ...]
    states: tuple[int, ...]
    outputs: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]
    attributions: tuple[float, ...]
    explained: int
    attention: tuple[float, ...] | None = None
    looks: tuple[tuple[float, ...], ...] | None = None
    label: int | None = None


def encode(model: TrainedModel, text: str) -> tuple[list[str], list[int]]:
    """The symbols of a text, or of a word of a language, as they are written and as the network numbers them.

    Raises:
        DataError: it is empty, a language's symbol is not in the alphabet, or no word of a text is known."""
    vocabulary = {symbol: number for number, symbol in enumerate(model.vocabulary)}
    symbols = (
        tokenize(text) if model.tokenizer else list(text) if all(len(s) == 1 for s in vocabulary) else text.split()
    )
    if not symbols:
        raise DataError("there is nothing to explain: expected a text with at least one word, got an empty one")
    codes = [vocabulary.get(symbol, -1 if model.unknown is None else model.unknown) for symbol in symbols]
    if -1 in codes:
        foreign = symbols[codes.index(-1)]
        raise DataError(f"expected symbols of the alphabet {', '.join(model.vocabulary[:10])}, got {foreign!r}")
    if all(code == model.unknown for code in codes):
        raise DataError(f"the network knows none of the words ({', '.join(symbols[:5])}); give a text that it can read")
    return symbols, codes


def walk(
    model: TrainedModel,
    automaton: Automaton,
    symbols: Int[np.ndarray, " T"] | Sequence[int],
    *,
    names: Sequence[str] | None = None,
    label: int | None = None,
) -> Steps:
    """The steps of one sequence; `names` are its symbols as they were written, the vocabulary's unless given."""
    codes = np.asarray(symbols, np.int32)
    alone = Sequences.from_lists([codes])
    states = [automaton.start, *automaton.trace(alone).tolist()]
    found = attribute(model, alone, METHOD)
    looks = attention_matrix(model, codes) if model.architecture.cell == RECURRENT else None
    return Steps(
        symbols=tuple(model.vocabulary[code] for code in codes) if names is None else tuple(names),
        known=tuple((codes != model.unknown).tolist()) if model.unknown is not None else (True,) * len(codes),
        states=tuple(states),
        outputs=tuple(automaton.outputs[states].tolist()),
        probabilities=tuple(map(tuple, _readings(model, codes).tolist())),
        attributions=tuple(found.values.tolist()),
        explained=int(found.explained[0]),
        attention=tuple(attention(model, alone).values.tolist()) if model.architecture.pools else None,
        looks=None if looks is None else tuple(map(tuple, looks.tolist())),
        label=label,
    )


def _readings(model: TrainedModel, symbols: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T+1 C"]:
    """The network's probability of each class after 0, 1, …, T symbols."""
    network = model.network
    read = torch.tensor(symbols, dtype=torch.long, device=model.device)[None, None]
    with torch.inference_mode():
        summaries = network.summaries(network.hidden_states(read))[0, :, 0]
        probabilities: Float[np.ndarray, "T+1 C"] = network.read_out(summaries[None])[0].softmax(dim=-1).cpu().numpy()
    return probabilities
