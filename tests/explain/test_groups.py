import numpy as np

from lisor.data.dataset import Split
from lisor.explain.groups import group_steps
from lisor.sequences import Sequences

WORDS = Sequences.from_lists([[0, 1], [1, 1, 0, 0]])


def test_steps_are_grouped_by_their_class() -> None:
    split = Split(sequences=WORDS, labels=np.array([1, 0]))
    groups = group_steps(split, ("no", "yes"))
    assert groups.names == ("no", "yes")
    assert groups.of_steps.tolist() == [1, 1, 0, 0, 0, 0]


def test_steps_are_grouped_by_thirds_of_the_first_number() -> None:
    numbers = np.array([[5, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 0]])
    groups = group_steps(Split(sequences=WORDS, labels=numbers, target="number"), ("load", "heat"))
    assert groups.names == ("up to 1.67", "1.67 to 3.33", "over 3.33")
    assert groups.of_steps.tolist() == [2, 0, 1, 1, 2, 0]


def test_a_number_that_never_changes_has_no_thirds() -> None:
    split = Split(sequences=WORDS, labels=np.full((2, 1), 7.0), target="regression")
    groups = group_steps(split, ("load",))
    assert groups.names == ("the same",)
    assert groups.of_steps.tolist() == [0] * 6
