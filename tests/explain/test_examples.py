import numpy as np
import pytest

from lisor.data.dataset import Split
from lisor.explain.examples import choose_examples
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

WORDS = Sequences.from_lists([[0], [1], [0, 1], [1, 0], [0, 0], [1, 1], [], [0]])
LABELS = np.array([0, 0, 1, 1, 0, 1, 0, 0])
SPLIT = Split(sequences=WORDS, labels=LABELS)
TRUE = np.array([0.9, 0.2, 0.8, 0.54, 0.05, 0.45, 0.99, 0.9])
"""The probability of the true class."""


def probabilities(true: np.ndarray) -> np.ndarray:
    both = np.stack([1 - true, true], axis=1)
    both[LABELS == 0] = both[LABELS == 0][:, ::-1]
    return both


def test_examples_are_the_surest_right_and_wrong_ones_and_the_doubtful() -> None:
    found = choose_examples(SPLIT, [probabilities(TRUE)], 6)
    assert [(it.row, it.kind) for it in found] == [
        (0, "right"), (2, "right"), (4, "wrong"), (1, "wrong"), (3, "uncertain"), (5, "uncertain"),
    ]  # fmt: skip


def test_several_networks_are_asked_by_their_mean() -> None:
    apart = [probabilities(np.clip(TRUE + shift, 0, 1)) for shift in (-0.04, 0.04)]
    assert choose_examples(SPLIT, apart, 6) == choose_examples(SPLIT, [probabilities(TRUE)], 6)


def test_no_example_is_empty_or_there_twice_and_a_perfect_network_has_no_wrong_one() -> None:
    found = choose_examples(SPLIT, [probabilities(np.full(8, 0.9))], 30)
    rows = [it.row for it in found]
    assert 6 not in rows
    assert not {0, 7} <= set(rows)
    assert len(set(rows)) == len(rows) == 6
    assert {it.kind for it in found} == {"right"}


@pytest.mark.parametrize("target", ["step", "next"])
def test_an_example_of_many_predictions_is_one_position_of_its_sequence(target: str) -> None:
    lengths = [len(word) for word in WORDS]
    counts = Positions.of(WORDS, target).counts
    split = Split(
        sequences=WORDS, labels=np.concatenate([np.arange(n) % 2 for n in counts]), target=target
    )
    mean = np.random.default_rng(0).dirichlet((1, 1), len(split.labels))
    found = choose_examples(split, [mean], 30, seed=1)
    assert len({it.row for it in found}) == len(found) > 2
    assert all(1 <= it.read <= lengths[it.row] for it in found)
    assert found == choose_examples(split, [mean], 30, seed=1)
    for it in found:
        offset = split.positions.offsets[it.row] + it.read - (target == "step")
        assert (split.labels[offset] == mean[offset].argmax()) or it.kind != "right"


def test_examples_of_numbers_are_close_far_off_and_extreme() -> None:
    rows = np.flatnonzero(WORDS.lengths)[:6]
    words = WORDS.select(rows)
    true = np.arange(6.0)[:, None]
    errors = np.array([0.1, 0.0, 3.0, 0.2, -2.0, 9.0])[:, None]
    split = Split(sequences=words, labels=true, target="regression")
    found = choose_examples(split, [true + errors], 4)
    assert [(it.row, it.kind) for it in found] == [
        (1, "close"), (0, "close"), (5, "far"), (4, "extreme"),
    ]  # fmt: skip
