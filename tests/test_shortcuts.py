"""`lisor.extract`: what it returns, and what it says of it."""

import math
import re
import time
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.data import series
from lisor.data.dataset import Dataset
from lisor.errors import DataError, DataWarning, ModelError
from lisor.extraction.probes import Probes
from lisor.networks import training
from lisor.networks.external.adapt import adapt
from lisor.search import Search
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.conftest import random_network
from tests.networks.external.test_module import WORDS
from tests.plain import Acceptor


class Turning:
    """Counts the symbol "a" modulo some number as an angle, so that its states are not numbered."""

    def __init__(self, modulus: int) -> None:
        self.turn = 2 * math.pi / modulus

    def initial_state(self):
        return 1.0, 0.0

    def step(self, state, symbol):
        if symbol:
            return state
        x, y = state
        c, s = math.cos(self.turn), math.sin(self.turn)
        return x * c - y * s, x * s + y * c

    def is_accepting(self, state):
        return state[0] > math.cos(self.turn / 2)


class Tiring:
    """Tells whether there were three zeros in a row, but only up to so many symbols; then whatever
    it likes."""

    limit = 12

    def initial_state(self):
        return 0.0, 0.0, 0.0

    def step(self, state, symbol):
        zeros, found, length = state
        zeros = 0.0 if symbol else min(zeros + 1, 3.0)
        return zeros, max(found, float(zeros > 2.5)), length + 0.01

    def is_accepting(self, state):
        length = round(100 * state[2])
        return state[1] > 0.5 if length <= self.limit else length * length % 7 < 3


class Turned:
    """Tells whether there were three zeros in a row, with the class of acceptance first."""

    def initial_state(self):
        return 0.0, 0.0

    step = staticmethod(lambda state, symbol: Tiring().step((*state, 0.0), symbol)[:2])

    def scores(self, state):
        return [state[1], 1 - state[1]]


AB = ["".join(word) for length in range(1, 9) for word in product("ab", repeat=length)]

LONGER = [2 * word for word in AB]


class Beside:
    """Tells whether the number of b is even and the last symbol a, beside many numbers that fade
    and do not matter."""

    push = np.random.default_rng(0).standard_normal((2, 12))

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def initial_state(self):
        return np.zeros(2), np.zeros(12)

    def step(self, state, symbol):
        (odd, _), fading = state
        odd = 1 - odd if symbol else odd
        return np.array([odd, 1.0 - symbol]), 0.9 * fading + self.scale * self.push[symbol]

    def is_accepting(self, state):
        return state[0][0] < 0.5 < state[0][1]


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 3.0])
def test_numbers_of_a_state_that_do_not_matter_do_not_count(scale):
    automaton = lisor.extract(Beside(scale), AB)
    assert automaton.n_states == 3
    assert all(
        automaton.accepts(word) == (word.count("b") % 2 == 0 and word[-1] == "a") for word in LONGER
    )


# What was not finished is said


def test_a_search_cut_at_the_limit_of_states_says_so_with_a_counterexample():
    with pytest.warns(DataWarning) as caught:
        automaton = lisor.extract(Turning(7), LONGER, most_states=4)
    (message,) = (str(one.message) for one in caught)
    found = re.fullmatch(
        r"the limit of 4 states was met: network and automaton agree on (0\.\d{3}) of [\d,]+ "
        r"unseen sequences, "
        r"for example not on '([ab]+)'; most_states=8 allows more",
        message,
    )
    assert found is not None, message
    assert automaton.n_states <= 4
    assert automaton.accepts(found[2]) != (found[2].count("a") % 7 == 0)
    assert 0.3 < float(found[1]) < 1


def test_where_nothing_is_unseen_it_is_said_of_the_sequences_given():
    with pytest.warns(
        DataWarning, match=r"agree on 0\.\d{3} of 510 given sequences, for example not on 'b'"
    ):
        lisor.extract(Turning(7), AB, most_states=4)


def test_with_room_enough_it_is_exact_and_nothing_is_said():
    automaton = lisor.extract(Turning(7), AB, most_states=8)
    assert automaton.n_states == 7
    assert all(automaton.accepts(word) == (word.count("a") % 7 == 0) for word in AB)


def test_mistakes_on_longer_words_than_those_of_a_dataset_are_said_and_not_built_in(words: Dataset):
    with pytest.warns(DataWarning) as caught:
        automaton = lisor.extract(Tiring(), words, most_states=12)
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4
    (message,) = (str(one.message) for one in caught)
    assert message.startswith(
        "on sequences longer than the 12 symbols of those given: network and automaton agree on"
    )
    assert message.endswith("the network itself may be wrong there")


def test_a_dataset_and_a_list_of_its_words_give_the_same_language(words: Dataset, network):
    validation = words.splits["validation"].sequences
    lists = [validation[row].tolist() for row in range(len(validation))]
    for given in (words, lists):
        automaton = lisor.extract(network, given)
        assert LANGUAGES["000"].equals(automaton)
        assert automaton.n_states == 4


def test_after_the_time_limit_the_best_automaton_so_far_is_returned_and_it_is_said():
    with pytest.warns(
        DataWarning,
        match=r"the search was cut short by the time limit: network and automaton agree on "
        r"0\.\d{3} of .* for example not on '[ab]+'; a longer time_limit allows more",
    ):
        automaton = lisor.extract(Turning(11), LONGER, time_limit=1e-9)
    assert 1 < automaton.n_states < 11


def test_a_time_limit_that_is_met_is_said_where_no_difference_is_left_to_show(monkeypatch):
    monkeypatch.setattr("lisor.search.draw", lambda probes, automaton, rng: probes.words)
    words = ["a", "b", "ab", "ba", "bbbbbbaaaaaa"]
    with pytest.warns(
        DataWarning,
        match=r"agree on all sequences tried so far, of up to \d+ symbols; a longer time_limit",
    ):
        lisor.extract(lambda word: word.count("b") % 7 == 0, words, time_limit=1e-9)


def test_a_time_limit_that_is_not_met_changes_nothing():
    lines: list[str] = []
    limited = lisor.extract(Turning(11), LONGER, time_limit=1e6, progress=lines.append)
    assert limited == lisor.extract(Turning(11), LONGER)
    assert re.fullmatch(r"refined: 9 states, [\d,]+ of [\d,]+ words differ", lines[0])
    refined = [line for line in lines if line.startswith("refined")]
    assert re.fullmatch(r"refined: \d+ states, 0 of [\d,]+ words differ", refined[-1])
    assert all(line.startswith("queried: ") for line in lines[len(refined) :])


class Slow:
    """A function that is called with the words it was asked for after some time."""

    def __init__(self, function, seconds: float) -> None:
        self.function, self.seconds, self.calls = function, seconds, 0

    def __call__(self, word: str):
        self.calls += 1
        time.sleep(self.seconds)
        return self.function(word)


def test_a_time_limit_is_kept_within_few_calls_of_a_slow_function():
    lisor.extract(lambda word: word.count("b") % 3, AB)  # what is compiled is compiled
    slow = Slow(lambda word: word.count("b") % 7 == 0, 0.02)
    with pytest.warns(DataWarning, match="cut short by the time limit: network and automaton"):
        automaton = lisor.extract(slow, LONGER, time_limit=0.5)
    assert slow.calls < 50
    assert automaton.n_states >= 1


def test_a_language_model_whose_search_is_cut_short_says_how_far_its_distributions_are():
    dataset = lisor.words("000", max_length=8, target="next")
    config = TrainingSettings(max_epochs=1, device="cpu")
    (network,) = training.train(
        dataset, cell="gru", models=ModelsSettings(hidden_size=4), settings=config, trials=[0]
    )
    with pytest.warns(DataWarning, match=r"network and automaton are 0\.\d{3} apart in total var"):
        lisor.extract(network, dataset, time_limit=1e-9)


# Functions on longer sequences than those given


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda word: word.endswith("ab") or (len(word) >= 9 and word[-9] == "a"),
            "the automaton is learned from shorter sequences: tested on sequences of 9 to "
            r"\d+ symbols, network and automaton agree on 0\.\d{3} of 300 such sequences, for "
            "example not on '[ab]{9,}'; give some of these lengths",
        ),
        (
            len,
            r"the limit of 64 states was met: tested on sequences of 9 to \d+ symbols, network and "
            "automaton agree on .* not on '[ab]+…'; most_states=128 allows more",
        ),
        (
            lambda word: [True, False][len(word) // 9],
            "the automaton is learned from shorter sequences: tested on .*raised IndexError",
        ),
    ],
)
def test_a_function_that_is_another_on_longer_sequences_is_said_with_a_counterexample(
    function, text
):
    with pytest.warns(DataWarning, match=text) as caught:
        lisor.extract(function, AB)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda word: word.count("b") % 5 == 0, AB),
        (
            lambda word: word.count("a") % 2 == (len(word) > 8),
            [word for word in AB if len(word) == 8],
        ),
    ],
)
def test_of_a_function_that_is_the_same_on_longer_sequences_or_meant_for_one_length_nothing_is_said(
    function, words
):
    automaton = lisor.extract(function, words)
    assert all(automaton.accepts(word) == function(word) for word in words)


@pytest.mark.parametrize("progress", ["yes", True, 3])
def test_progress_that_cannot_be_called_is_refused(progress):
    with pytest.raises(DataError, match="expected progress that is called with a line, such as pr"):
        lisor.extract(Turning(3), AB, progress=progress)


@pytest.mark.parametrize("time_limit", [0, -1.0, math.nan, math.inf, "1"])
def test_a_time_limit_that_is_none_is_refused(time_limit):
    with pytest.raises(DataError, match="expected a time_limit above 0 seconds"):
        lisor.extract(Turning(3), AB, time_limit=time_limit)


@pytest.mark.parametrize("most_states", [2, -1, 5000, 10**30])
def test_a_number_of_states_that_cannot_be_is_refused(most_states):
    with pytest.raises(DataError, match="expected most_states from 3"):
        lisor.extract(Turning(3), AB, most_states=most_states)


class Wide(Turning):
    """A state of many numbers."""

    def initial_state(self):
        return np.zeros(1000, np.float32)

    def step(self, state, symbol):
        return state

    def is_accepting(self, state):
        return True


def test_states_that_do_not_fit_into_memory_are_refused():
    words = Sequences.from_lists([[0, 1], [1, 0]])
    search = Search(
        network=adapt(Wide(2), [str(number) for number in range(200)]),
        fitted=words,
        kept=words,
        probes=Probes(words=words, symbols=200, shortest=0, longest=2),
        most_states=4096,
        seed=0,
    )
    with pytest.raises(DataError, match=r"expected most_states up to 1,342, .* got 4,096"):
        search.automaton()


def test_a_number_of_a_symbol_that_is_absurd_is_refused():
    with pytest.raises(DataError, match="expected numbers of symbols"):
        lisor.extract(Turning(3), [[0, 1_000_000_000]])


# What is returned is minimal, and reads what the network reads


@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
def test_what_is_returned_is_minimal(is_text):
    network = random_network(hidden_size=4, seed=5)
    words = Sequences.from_lists([list(map(int, word)) for word in WORDS])
    probes = Probes(words=words, symbols=2, shortest=1, longest=7)
    automaton = Search(
        network=network,
        fitted=words,
        kept=words,
        probes=probes,
        most_states=6,
        seed=0,
        is_text=is_text,
    ).automaton()
    assert automaton == automaton.minimized()


class Counting(Turning):
    """Counts a modulo 3 beside numbers that grow with what was read and change no answer: k-means
    on the states as they are sees little but these."""

    def initial_state(self):
        return (*super().initial_state(), 0.0, 0.0)

    def step(self, state, symbol):
        x, y, a, b = state
        return (*super().step((x, y), symbol), a + 30 * (1 - symbol), b + 30 * symbol)

    def is_accepting(self, state):
        return super().is_accepting(state[:2])


def test_of_text_states_are_also_compared_by_what_is_predicted_after_more_symbols():
    network = adapt(Counting(3), "ab")
    rng = np.random.default_rng(0)
    words = Sequences.from_lists([rng.integers(2, size=rng.integers(5, 30)) for _ in range(60)])
    search = Search(
        network=network,
        fitted=words,
        kept=words,
        probes=Probes(words=words, symbols=2, shortest=1, longest=30),
        most_states=8,
        seed=0,
        is_text=True,
    )
    by_states = max(candidate.merit for candidate in search._read_dynamics("kmeans"))
    automaton = search.automaton()
    assert by_states < 0.9
    assert automaton.n_states == 3
    np.testing.assert_array_equal(automaton.classify(words), network.predict(words).argmax(axis=1))


@pytest.fixture(scope="module")
def waves() -> Dataset:
    """Series that rise or fall, as symbols of four levels."""
    rng = np.random.default_rng(0)
    rows = [
        (np.linspace(-1, 1, 12) * (1 if up else -1) + rng.normal(0, 0.1, 12))[:, None]
        for up in (0, 1) * 60
    ]
    table = pd.DataFrame({"series": pd.Series(rows, dtype=object), "label": ["down", "up"] * 60})
    sizes = {"train": None, "validation": None, "selection": None, "test": None}
    how = {"sizes": sizes, "held_out": 0.25, "folds": None, "fold": 0, "seed": 0}
    return series.build(table, method="sax", symbol_count=4, window=1, **how)


@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
def test_an_automaton_of_series_reads_series(waves: Dataset):
    config = TrainingSettings(learning_rate=0.05, max_epochs=5, device="cpu")
    (network,) = training.train(
        waves, cell="gru", models=ModelsSettings(hidden_size=4), settings=config, trials=[0]
    )
    for automaton in (
        lisor.extract(network, waves),
        lisor.extract(network, [[0, 1, 2, 3], [3, 2, 1, 0]] * 5),
    ):
        assert automaton.alphabet == waves.alphabet
        assert automaton.classify(automaton.alphabet.read(["-1 -0.5 0 0.5 1"])).shape == (1,)


def test_an_external_network_of_series_has_an_automaton_that_reads_series(waves: Dataset):
    class Last:
        def initial_state(self):
            return 0

        def step(self, state, symbol):
            return symbol

        def is_accepting(self, state):
            return state > 1

    automaton = lisor.extract(Last(), waves)
    assert automaton.classes == ("down", "up")
    read = automaton.alphabet.read(["-1 -1 1", "1 1 -1"])
    assert automaton.classify(read).tolist() == [1, 0]


# The order of classes


def test_classes_that_labels_say_are_turned_round_are_said(words: Dataset):
    with pytest.warns(
        DataWarning,
        match="right on 0.000 of the labelled sequences if its classes are reject, accept",
    ):
        automaton = lisor.extract(Turned(), words)
    assert not automaton.accepts("000")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lisor.extract(
            Turned(),
            replace(words, classes=("accept", "reject"), splits=turned(words), language=None),
        )


def turned(words: Dataset):
    return {name: replace(split, labels=1 - split.labels) for name, split in words.splits.items()}


def test_classes_that_a_network_of_ours_does_not_have_are_refused(words: Dataset, network):
    with pytest.raises(
        ModelError, match="expected the network's own classes reject, accept, got no, yes"
    ):
        lisor.extract(network, words, classes=["no", "yes"])


def test_symbols_that_are_whole_numbers_are_numbered_by_value():
    automaton = lisor.extract(Turning(2), [["10", "9"], ["9", "9", "10"], ["10"]] * 4)
    assert automaton.alphabet == ("9", "10")


def test_weights_that_are_not_numbers_are_one_line():
    module = Acceptor(nn.GRU)
    nn.init.constant_(module.layer.weight_hh_l0, float("nan"))
    with pytest.raises(ModelError, match="expected finite numbers"):
        lisor.extract(module, WORDS)


def test_an_alphabet_that_lacks_symbols_the_network_knows_has_to_be_named():
    torch.manual_seed(0)  # some networks at random need more states than 64
    module = Acceptor(nn.GRU)
    module.embedding = nn.Embedding(30, 4)
    words = [["26", "9", "2"], ["9", "11"], ["2", "26"]] * 4
    with pytest.raises(
        ModelError, match=r"the 30 symbols that Acceptor has vectors of, found 4 in the sequences"
    ):
        lisor.extract(module, words)
    for given in (
        {"alphabet": [str(number) for number in range(30)]},
        {"alphabet": ["2", "9", "11", "26"]},
    ):
        lisor.extract(module, words, **given)
    lisor.extract(module, [[2, 9, 0], [26, 9]] * 4)


# What is none


def test_what_stands_in_the_wrong_place_is_told_in_one_line(tmp_path):
    words, network = lisor.words("000", max_length=8), random_network()
    with pytest.raises(DataError, match=r"expected a dataset, such as lisor\.words makes"):
        lisor.train("000")
    with pytest.raises(DataError, match=r"expected a dataset, or sequences, .* got TrainedModel"):
        lisor.extract(words, network)
    with pytest.raises(DataError, match=r"expected an automaton, .* got TrainedModel"):
        lisor.draw(network, tmp_path / "network.svg")
    for name in ("000.png", "000.pdf", "000"):
        with pytest.raises(DataError, match=r"drawn as \.svg files"):
            lisor.draw(LANGUAGES["000"].automaton, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_sequences_that_are_only_numbered_are_sequences(network, words):
    numbered = words.splits["validation"].sequences
    assert not hasattr(numbered, "__iter__")
    assert lisor.extract(network, numbered).alphabet == network.alphabet


def test_an_expression_may_be_over_any_characters():
    words = lisor.words("regex:(a|b)*abb", alphabet="ab", max_length=8)
    assert words.language.automaton.accepts("aabb")


@pytest.mark.parametrize("target", ["class", "step", "next"])
def test_a_dataset_and_a_network_are_shown_in_a_line(target):
    dataset = lisor.words("000", max_length=8, target=target)
    config = TrainingSettings(max_epochs=1, device="cpu")
    (network,) = training.train(
        dataset, cell="gru", models=ModelsSettings(hidden_size=4), settings=config, trials=[0]
    )
    for value in (dataset, network, dataset.splits["train"]):
        shown = repr(value)
        assert shown.startswith(f"{type(value).__name__}(")
        assert len(shown) <= 160 and len(shown.splitlines()) == 1
        assert repr(target) in shown
