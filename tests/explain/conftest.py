"""What the tests of explanations share."""

from dataclasses import replace

import numpy as np
import torch

from lisor.automata.automaton import Automaton
from lisor.automata.pdfa import make_pdfa
from lisor.explain.attributions import Attributions, by_sequence
from lisor.networks.trained import TrainedModel
from lisor.registry import TARGETS


def values_of(attributions: Attributions, row: int) -> np.ndarray:
    """The attributions of one sequence."""
    return by_sequence(attributions.sequences, attributions.values)[row]


def with_target(model: TrainedModel, target: str) -> TrainedModel:
    """The same weights, read out at the positions of another target; numbers in a unit."""
    units = {}
    if TARGETS[target].is_numeric:
        units = {
            "means": 3 + torch.arange(len(model.classes), dtype=torch.float32),
            "deviations": torch.full((len(model.classes),), 2.0),
        }
    return TrainedModel(
        architecture=replace(model.architecture, target=target),
        weights={**model.weights, **units},
        alphabet=model.alphabet,
        classes=(*model.alphabet, "<end>") if target == "next" else model.classes,
        seed=0,
        history={},
        best_epoch=0,
    )


def machine(model: TrainedModel) -> Automaton:
    """Some automaton of two states over the symbols and classes of a network."""
    symbols, classes = len(model.alphabet), len(model.classes)
    transitions = np.arange(2 * symbols).reshape(2, symbols) % 2
    if model.target == "next":
        shares = np.arange(1.0, 2 * classes + 1).reshape(2, classes)
        return make_pdfa(model.alphabet, transitions, shares / shares.sum(axis=1, keepdims=True))
    values = None
    if TARGETS[model.target].is_numeric:
        values = np.arange(2.0 * symbols * classes).reshape(2, symbols, classes)
    return Automaton(
        alphabet=model.alphabet,
        classes=model.classes,
        transitions=transitions,
        outputs=np.zeros(2, int) if values is not None else np.array([0, 1]),
        target=model.target,
        values=values,
    )


class Counter:
    """What a user writes without torch: accepts words that contain 000."""

    def initial_state(self) -> int:
        return 0

    def step(self, state: int, symbol: int) -> int:
        return 3 if state == 3 else 0 if symbol else state + 1

    def is_accepting(self, state: int) -> bool:
        return state == 3
