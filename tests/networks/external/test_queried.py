"""Functions and systems that are known by their answers alone, learned by `lisor.extract`."""

from itertools import product

import numpy as np
import pytest
import torch

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.errors import DataWarning, ModelError
from lisor.networks.external.queried import QueriedNetwork, is_queried
from lisor.sequences import Sequences
from tests.networks.external.test_stepped import Counter

WORDS = ["".join(word) for length in range(1, 7) for word in product("ab", repeat=length)]


def number_of_b(word) -> int:
    return word.count("b")


@pytest.mark.parametrize(
    ("function", "classes", "outputs"),
    [
        (lambda word: word.count("b") % 2 == 1, ("reject", "accept"), [0, 1]),
        (lambda word: np.bool_(word.count("b") % 2), ("reject", "accept"), [0, 1]),
        (lambda word: word.count("b") % 2, ("reject", "accept"), [0, 1]),
        (lambda word: 7 + word.count("b") % 3, ("7", "8", "9"), [0, 1, 2]),
        (lambda word: ["z", "y", "x"][word.count("b") % 3], ("x", "y", "z"), [2, 1, 0]),
        (lambda word: 0.1 + 0.8 * (word.count("b") % 2), ("reject", "accept"), [0, 1]),
        (lambda word: np.float32(word.count("b") % 2 - 0.9), ("reject", "accept"), [0, 1]),
        (lambda word: torch.tensor([word.count("b") % 2 - 0.9]), ("reject", "accept"), [0, 1]),
        (lambda word: np.eye(3)[word.count("b") % 2], ("0", "1", "2"), [0, 1]),
        (lambda word: torch.eye(3)[word.count("b") % 3], ("0", "1", "2"), [0, 1, 2]),
    ],
)  # fmt: skip
def test_answers_of_every_kind_become_classes(function, classes, outputs):
    automaton = lisor.extract(function, WORDS)
    assert automaton.classes == classes
    assert automaton.outputs.tolist() == outputs
    assert automaton.transitions[:, 0].tolist() == list(range(len(outputs)))


def test_classes_that_are_given_name_numbers_and_order_names():
    parity = lisor.extract(lambda word: word.count("b") % 2, WORDS, classes=["even", "odd"])
    assert parity.classes == ("even", "odd")
    assert parity.outputs.tolist() == [0, 1]
    named = lisor.extract(lambda word: "zy"[word.count("b") % 2], WORDS, classes=["z", "y", "x"])
    assert named.classes == ("z", "y", "x")
    assert named.outputs.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("words", "kind", "last"),
    [
        (["ab", "ba", "b"], str, "b"),
        ([["a", "b"], ["b", "a"], ["b"]], list, "b"),
        ([["to", "be"], ["be", "to"], ["to"]], list, "be"),
        ([[0, 1], [1, 0], [1]], list, 1),
    ],
)
def test_a_function_gets_words_of_the_kind_that_was_given(words, kind, last):
    kinds = set()

    def ends_with_the_last(word):
        kinds.add(type(word))
        return word[-1] == last  # raises for the empty word, which is then not asked for

    automaton = lisor.extract(ends_with_the_last, words)
    assert kinds == {kind}
    assert automaton.n_states == 2


class System:
    """Outputs the number of b modulo 3, or nothing, as AALpy's systems do."""

    def pre(self):
        self.number = 0

    def step(self, symbol):
        self.number = (self.number + (symbol == "b")) % 3
        return ("one", "two", None)[self.number - 1]

    def post(self):
        del self.number


def test_a_system_that_is_stepped_and_reset_is_learned():
    automaton = lisor.extract(System(), WORDS)
    assert automaton.classes == ("None", "one", "two")
    assert automaton.n_states == 3
    assert automaton.classify(Sequences.from_lists([[1], [1, 1], [1, 1, 1]])).tolist() == [1, 2, 0]


def test_a_language_is_learned_from_the_words_of_a_dataset(words):
    automaton = lisor.extract(lambda word: "000" in word, words)
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4


def test_each_word_is_asked_for_once_but_for_a_check_at_both_ends():
    asked: list[str] = []

    def is_odd(word):
        asked.append(word)
        return word.count("b") % 2 == 1

    lisor.extract(is_odd, WORDS)
    often = {word: asked.count(word) for word in set(asked)}
    assert max(often.values()) == 3
    assert sum(count > 1 for count in often.values()) == 100


def test_what_is_left_at_the_limit_of_states_is_said():
    with pytest.warns(DataWarning, match=r"the limit of 4 states was met: .* most_states=8 allows"):
        automaton = lisor.extract(
            lambda word: word.count("b") % 7 == 0, [2 * word for word in WORDS], most_states=4
        )
    assert automaton.n_states <= 4


class Changing:
    asked = 0

    def __call__(self, word):
        self.asked += 1
        return self.asked % 3 == 0


def drifting(after: int):
    """Right at first, and the opposite after so many questions."""
    asked = []

    def answer(word):
        asked.append(word)
        return (word.count("b") % 2 == 1) == (len(asked) <= after)

    return answer


def fails(word):
    raise ZeroDivisionError("never" + chr(10) + "mind")


@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (Changing(), {}, "the same answer of Changing whenever it is asked, got"),
        (drifting(400), {}, r"make it deterministic"),
        (fails, {}, r"fails\('aa'\) raised ZeroDivisionError: never"),
        (lambda word: None, {}, "expected True or False, a class, or scores from <lambda>, got No"),
        (lambda word: [[1]], {}, "expected True or False, a class, or scores"),
        (lambda word: float("nan"), {}, "expected True or False, a class, or scores"),
        (lambda word: "x" if len(word) % 2 else 3, {}, "answers of <lambda> of one kind, got 3 a"),
        (number_of_b, {"classes": ["no", "yes"]}, "among its 2 classes no, yes, got"),
        (lambda word: 2**len(word) + hash(word) % 2**len(word), {}, "at most 256 classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_one_line_with_the_reason(function, options, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        lisor.extract(function, [2 * word for word in WORDS], **options)
    assert "\n" not in str(refused.value)


def test_what_has_states_of_its_own_is_not_queried():
    assert is_queried(fails)
    assert is_queried(System())
    for other in (System, Counter(), torch.nn.GRU(2, 3), 3):
        assert not is_queried(other)


def test_the_empty_word_has_a_class_where_a_function_gives_it_one():
    words = Sequences.from_lists([[0, 1], [1]])
    for function, reads in ((number_of_b, True), (lambda word: word[0] == "b", False)):
        network = QueriedNetwork(function, "ab", None, words=words, form="text")
        assert network.reads_empty == reads
