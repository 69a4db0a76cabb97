from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch

from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset, Split
from lisor.explain.units import units
from lisor.networks.classifier import Architecture, Classifier
from lisor.networks.hidden_states import HiddenStates, collect
from lisor.networks.trained import TrainedModel
from tests.explain.conftest import with_target


@pytest.fixture(scope="module")
def counter() -> TrainedModel:
    """A network without training: unit 0 is up after a 0 and down after a 1, unit 1 moves with it,
    unit 2 is still."""
    architecture = Architecture(
        cell="srn", symbols=2, classes=2, hidden_size=3, vector_size=2, learned_vectors=False
    )
    network = Classifier(architecture, [0], vectors=torch.eye(2))
    for parameter in network.parameters():
        parameter.data.zero_()
    network.cell.input_weight.data[0] = torch.tensor([[2.0, -1.0, 0.0], [-2.0, 1.0, 0.0]])  # type: ignore[union-attr, operator]
    return TrainedModel(
        architecture=architecture,
        weights=network.trial_weights(0),
        alphabet=("0", "1"),
        classes=("reject", "accept"),
        seed=0,
        history={},
        best_epoch=0,
    )


LAST_ONE = Automaton(
    alphabet=("0", "1"),
    classes=("reject", "accept"),
    transitions=np.array([[0, 1], [0, 1]]),
    outputs=np.array([0, 1]),
)
"""State 1 after a 1."""


def by_last(words: Dataset) -> Dataset:
    """The words of a data set, accepted where they end with 1."""
    splits = {}
    for name, split in words.splits.items():
        labels = [int(len(word) > 0 and word[-1] == 1) for word in split.sequences]
        splits[name] = replace(split, labels=np.array(labels))
    return replace(words, splits=MappingProxyType(splits))


def test_a_unit_that_follows_one_symbol_is_told_by_it_and_a_still_one_by_nothing(
    counter: TrainedModel, words: Dataset
) -> None:
    dataset = by_last(words)
    points = collect(counter, dataset.splits["validation"].sequences)
    up, down, still = units(counter, dataset, points, LAST_ONE, {0: 'up on "0"', 2: 'up on "0"'})
    assert up.sentence is not None
    assert up.sentence.startswith(
        "Rises on “0”; falls on “1”; high in state 0; low in state 1; high at the end of rej"
    )
    assert down.sentence is not None
    assert down.sentence.startswith("Rises on “1”; falls on “0”; high in state 1")
    assert up.alone == pytest.approx(
        1.0, abs=0.02
    )  # the empty word is the only one that it may mistake
    assert all(context[-1] == "0" for context in up.highest)
    assert all(context[-1] == "1" for context in up.lowest)
    assert (up.group, down.group, still.group) == (0, 0, 1)
    assert up.moves > down.moves > still.moves == 0
    assert (still.sentence, still.associations) == (None, ())
    assert up.verdict is not None
    assert up.verdict.startswith("“0”: rises")
    assert still.verdict is not None
    assert still.verdict.startswith("“0”: no evidence")
    assert down.verdict is None


def test_a_unit_that_follows_a_number_is_high_in_a_third_of_it_and_predicts_it_alone(
    counter: TrainedModel, words: Dataset
) -> None:
    splits = {}
    for name, split in words.splits.items():
        read = split.select(np.flatnonzero(split.sequences.lengths > 0)).sequences
        loads = 5.0 + read.symbols[:, None]
        splits[name] = Split(sequences=read, labels=loads, target="number")
    dataset = replace(words, splits=MappingProxyType(splits), classes=("load",), language=None)
    numeric = with_target(replace(counter, classes=("load", "heat")), "number")
    validation = dataset.splits["validation"].sequences
    up, down, _ = units(numeric, dataset, collect(numeric, validation), LAST_ONE, {}, seed=0)
    assert up.sentence is not None
    assert down.sentence is not None
    assert "high where load is up to 5; alone it predicts load of the test set" in up.sentence
    assert "high where load is over 5; alone" in down.sentence
    assert up.alone == pytest.approx(1, abs=0.01)


def test_a_trained_network_has_sentences_and_the_same_seed_says_the_same(
    network: TrainedModel, dumped: HiddenStates, words: Dataset
) -> None:
    automaton = words.language.automaton  # type: ignore[union-attr]
    found = units(network, words, dumped.read(), automaton, {}, seed=1)
    assert found == units(network, words, dumped.read(), automaton, {}, seed=1)
    assert [unit.number for unit in found] == list(range(network.architecture.hidden_size))
    assert any(unit.sentence for unit in found)
    assert max(unit.alone for unit in found) > 0.6
