"""Automata learned by queries, compared with automata that are taken for networks."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.extraction.limits import SearchLimits, Watch
from lisor.extraction.probes import Probes
from lisor.extraction.rules import queried
from lisor.registry import RULES
from lisor.sequences import Sequences
from tests.extracting import search
from tests.lived import lived
from tests.strategies import automata

few = settings(max_examples=25)

WORDS = Sequences.from_lists([[], [0], [1, 0], [0, 1, 1, 0], [1, 1, 1, 0, 1, 0, 0, 1]])
PROBES = Probes.like(WORDS, symbols=2, is_text=False, fixed_length=None)


@dataclass
class Known:
    """An automaton as a network; `asked` counts the symbols that it read."""

    automaton: Automaton
    reads_empty: bool = True
    asked: int = 0
    at_once: int = 8

    def __getattr__(self, name):
        return getattr(self.automaton, name)

    def predict(self, words: Sequences) -> np.ndarray:
        self.asked += len(words.symbols)
        return np.eye(len(self.classes))[self.automaton.classify(words)]


def learn(network: Known, **limits):
    return queried.learn(network, PROBES, SearchLimits(**limits))


def counter(modulus: int) -> Automaton:
    """Accepts a number of 1s that some number divides."""
    return Automaton(
        alphabet=Alphabet.of("01"),
        classes=("reject", "accept"),
        transitions=np.array([[state, (state + 1) % modulus] for state in range(modulus)]),
        outputs=np.arange(modulus) == 0,
    )


@few
@given(truth=automata(alphabet=("0", "1")), seed=st.integers(0, 9))
def test_an_automaton_is_learned_as_it_is_and_minimal(truth, seed):
    automaton, found = learn(Known(truth), seed=seed)
    assert found.complete
    assert not found.limited
    assert automaton.distinguishing_word(truth) is None
    assert automaton.n_states == truth.minimized().n_states


@few
@given(truth=automata(alphabet=("0", "1"), classes=2))
def test_an_answer_after_each_symbol_is_learned_too(truth):
    truth = Automaton(**(vars(truth) | {"target": "step"}))
    automaton, found = learn(Known(truth))
    assert found.complete
    assert automaton.target == "step"
    assert automaton.distinguishing_word(truth) is None
    assert automaton.n_states <= truth.minimized().n_states


def test_the_output_on_the_empty_word_is_free_where_it_is_not_read():
    truth = Automaton(
        alphabet=Alphabet.of("01"),
        classes=("reject", "accept"),
        transitions=np.array([[1, 1], [1, 1]]),
        outputs=np.array([0, 1]),
    )
    assert learn(Known(truth))[0].n_states == 2
    assert learn(Known(truth, reads_empty=False))[0].n_states == 1


def test_at_the_limit_of_states_the_search_ends_and_says_so():
    automaton, found = learn(Known(counter(9)), most_states=5)
    assert (found.complete, found.limited) == (False, True)
    assert automaton.n_states <= 5
    automaton, found = learn(Known(counter(9)), most_states=9)
    assert (automaton.n_states, found.complete) == (9, True)


def test_every_symbol_that_is_read_is_counted_and_the_budget_ends_the_search():
    network = Known(counter(9))
    _, whole = learn(network)
    assert whole.steps == network.asked
    assert 0 < whole.steps_to_last < whole.steps
    assert 0 < whole.last_difference < whole.tests
    _, cut = learn(Known(counter(9)), steps=1)
    assert not cut.complete
    assert cut.steps < whole.steps


def test_the_same_seed_gives_the_same_automaton_and_the_same_search():
    one, two, other = (learn(Known(counter(9)), seed=seed) for seed in (0, 0, 1))
    assert one == two
    assert one[0] == other[0]


def test_clusters_and_hidden_states_do_not_count():
    model, points, clustering = lived("gru", 2, 0, metric=False)
    rule = RULES["queried"]
    assert (rule.from_clusters, rule.follows_states, rule.min_states(16)) == (False, False, 1)
    found = search("queried", model, points, clustering, PROBES, most_states=30)
    direct, log = queried.learn(model, PROBES, SearchLimits(most_states=30))
    assert (found.automaton, found.search) == (direct, log)


class Patience:
    """What ends a search after it was looked at so often."""

    def __init__(self, times: int) -> None:
        self.times = times

    def is_over(self) -> bool:
        self.times -= 1
        return self.times < 0


@given(times=st.integers(0, 300))
def test_a_search_that_is_ended_within_a_round_gives_the_automaton_of_the_last_whole_one(times):
    network, lines = Known(counter(9)), list[str]()
    patience = Patience(times)
    watch = Watch(report=lines.append, is_over=patience.is_over)
    automaton, log = learn(network, watch=watch)
    whole, _ = learn(Known(counter(9)))
    assert log.complete == (patience.times >= 0)
    assert automaton == whole if log.complete else automaton.n_states <= 9
    # What is read after the end is no more than one batch, and the words of the first automaton.
    assert len(lines) <= times
