"""One sequence, step by step: the automaton's states, class probabilities, attributions.

Shapes: T steps, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor.explain.attention import attention, attention_matrix
from lisor.explain.gradients import attribute
from lisor.networks.classifier import RECURRENT
from lisor.networks.trained import TrainedModel
from lisor.registry import TARGETS
from lisor.sequences import Sequences

METHOD = "integrated-gradients"
"""The method of attribution of `Steps`."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What a network and an automaton do at each step of a sequence of T symbols.

    `states` and `outputs` are the automaton's and `probabilities` the network's of each class: T+1
    of each, the start first. `attributions` are integrated gradients for `explained`, the predicted
    class. `attention` is the weight of each symbol where the network pools its states, `looks` a
    row of weights for each step where it attends to earlier ones; else None. `known` says which
    symbols the network knows. `label` is the true class if there is one."""

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


def check_predicts_once(model: TrainedModel) -> None:
    """Check that a network makes one prediction for a sequence: one prediction is explained.

    Raises:
        DataError: the network predicts after each symbol."""
    if not TARGETS[model.target].predicts_once:
        raise DataError(
            f"expected a network that predicts once for a sequence, got {model.name}, which "
            "predicts after each symbol: turn explain off"
        )


def encode(model: TrainedModel, text: str) -> tuple[list[str], list[int]]:
    """The symbols of a text, or of a word of a language: as they are written, and as indices.

    Raises:
        DataError: the text is empty, a language's symbol is not in the alphabet, no word of a text
            is known, or the network predicts after each symbol."""
    check_predicts_once(model)
    symbols = model.alphabet.cut(text)
    if not symbols:
        raise DataError(
            "there is nothing to explain: expected a text with at least one word, got an empty one"
        )
    numbers: list[int] = model.alphabet.encode([symbols]).symbols.tolist()
    if all(number == model.alphabet.unknown for number in numbers):
        raise DataError(
            f"the network knows none of the words ({', '.join(symbols[:5])}); give a text that it "
            "can read"
        )
    return symbols, numbers


def read_steps(
    model: TrainedModel,
    automaton: Automaton,
    symbols: Int[np.ndarray, " T"] | Sequence[int],
    *,
    names: Sequence[str] | None = None,
    label: int | None = None,
) -> Steps:
    """The steps of one sequence. `names` are its symbols as they were written, by default the
    alphabet's."""
    codes = np.asarray(symbols, np.int32)
    sequence = Sequences.from_lists([codes])
    states = [automaton.start, *automaton.trace(sequence).tolist()]
    attributions = attribute(model, sequence, METHOD)
    looks = attention_matrix(model, codes) if model.architecture.cell == RECURRENT else None
    return Steps(
        symbols=tuple(model.alphabet[code] for code in codes) if names is None else tuple(names),
        known=tuple(code != model.alphabet.unknown for code in codes.tolist()),
        states=tuple(states),
        outputs=tuple(automaton.outputs[states].tolist()),
        probabilities=tuple(map(tuple, _probabilities(model, codes).tolist())),
        attributions=tuple(attributions.values.tolist()),
        explained=int(attributions.explained[0]),
        attention=tuple(attention(model, sequence).values.tolist())
        if model.architecture.pools
        else None,
        looks=None if looks is None else tuple(map(tuple, looks.tolist())),
        label=label,
    )


def _probabilities(
    model: TrainedModel, symbols: Int[np.ndarray, " T"]
) -> Float[np.ndarray, "T+1 C"]:
    """The probability of each class after 0, 1, …, T symbols."""
    network = model.network
    read = torch.tensor(symbols, dtype=torch.long, device=model.device)[None, None]
    with torch.inference_mode():
        summaries = network.summaries(network.hidden_states(read))[:, :, 0]
        return np.asarray(network.read_out(summaries)[0].softmax(dim=-1).cpu())
