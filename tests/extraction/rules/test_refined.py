from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.clustering.clustering import Clustering, cluster
from lisor.data.words import build
from lisor.extraction.dynamics import StateComparison, center_states
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.rules import refined
from lisor.networks import hidden_states, training
from lisor.networks.hidden_states import HiddenStates, Points
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.extracting import compared, extract, search, transitions_from_centers
from tests.lived import LIVED, H, K, State, counted_steps, kinds, lived, step_plainly

DRAWN = 40
few = settings(max_examples=3)
seeds = st.integers(0, 9)

EVERY_SHORT = Sequences.from_lists(
    [word for length in range(7) for word in product((0, 1), repeat=length)]
)
SHORT = Sequences.from_lists(LIVED)
LONGER = Probes.like(SHORT, symbols=2, is_text=False, fixed_length=None)


@pytest.fixture(autouse=True, scope="module")
def fewer_words() -> Iterator[None]:
    """As many words of each kind as small networks need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refined, "PROBES", DRAWN)
        yield


def before(model: TrainedModel, points: Points, clustering: Clustering) -> Automaton:
    """The automaton that a refinement begins with; state 0 is the start, and state q + 1 that of
    center q."""
    return extract(model, points, clustering, rule="dynamics").automaton


def answers(model: TrainedModel, words: Sequences) -> np.ndarray:
    return model.predict(words).argmax(axis=1)


# What comes of it


@kinds
@few
@given(seed=seeds)
def test_a_complete_automaton_answers_the_words_as_the_network_does(cell, classes, metric, seed):
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    probes = Probes(words=EVERY_SHORT, symbols=2, shortest=0, longest=6)
    result = search("refined", model, points, clustering, probes, most_states=200, seed=seed)
    assert result.search.complete
    np.testing.assert_array_equal(
        result.automaton.classify(EVERY_SHORT), answers(model, EVERY_SHORT)
    )


@kinds
@few
@given(seed=seeds, room=st.integers(1, 20))
def test_it_has_no_more_states_than_it_may_and_is_minimal(cell, classes, metric, seed, room):
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    machine = search(
        "refined", model, points, clustering, LONGER, most_states=K + room, seed=seed
    ).automaton
    assert machine.n_states <= K + room
    assert machine == machine.minimized()


@kinds
def test_where_there_is_no_room_or_no_step_left_it_is_the_automaton_by_dynamics(
    cell, classes, metric
):
    model, points, clustering = lived(cell, classes, 9, metric=metric)
    first = before(model, points, clustering).minimized()
    for limit in ({"most_states": K + 1}, {"most_states": 99, "steps": 1}):
        result = search("refined", model, points, clustering, LONGER, seed=0, **limit)
        assert result.automaton == first
        assert not result.search.complete


@kinds
def test_the_same_seed_gives_the_same_automaton(cell, classes, metric):
    def once() -> tuple[str, int, int, int, bool]:
        result = search(
            "refined", *lived(cell, classes, 5, metric=metric), LONGER, most_states=16, seed=5
        )
        machine = result.automaton.to_json()
        return (
            machine,
            result.search.tests,
            result.search.last_difference,
            result.search.steps,
            result.search.complete,
        )

    assert once() == once()


def test_another_seed_asks_other_words():
    case = lived("gru", 2, 0, metric=False)
    found = {
        search("refined", *case, LONGER, most_states=20, seed=seed).search.last_difference
        for seed in range(5)
    }
    assert len(found) > 1


def test_it_carries_what_the_network_knows_and_where_it_comes_from():
    model, points, clustering = lived("gru", 3, 0, metric=False)
    known = replace(model, alphabet=Alphabet(symbols=("0", "1"), unknown=1, tokenizer="words"))
    result = search(
        "refined",
        known,
        points,
        replace(clustering, method="kmeans-x"),
        LONGER,
        most_states=9,
        seed=0,
    )
    machine = result.automaton
    assert (result.method, result.rule, result.k) == ("kmeans-x", "refined", K)
    assert (machine.alphabet, machine.classes, machine.start) == (
        known.alphabet,
        known.classes,
        0,
    )
    assert result.seen.shape == machine.transitions.shape
    assert result.seen.all()


# How the search went


@dataclass(kw_only=True)
class Recorded:
    """A refinement from beginning to end: the words of each round, and how many symbols the network
    had read by its end."""

    result: Extraction
    rounds: list[Sequences]
    steps: list[int]

    @property
    def differences(self) -> int:
        """How many rounds met a difference: all, or all but the last."""
        return len(self.rounds) - self.result.search.complete


def recorded(
    cell: str,
    seed: int,
    *,
    most_states: int = 20,
    budget: int | None = None,
    probes: Probes = LONGER,
) -> Recorded:
    rounds: list[Sequences] = []
    steps: list[int] = []
    case = lived(cell, 2, seed, metric=False)
    with counted_steps() as read:
        predict = TrainedModel.predict

        def predict_and_note(model: TrainedModel, words: Sequences) -> np.ndarray:
            answer = predict(model, words)
            rounds.append(words)
            steps.append(sum(read))
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainedModel, "predict", predict_and_note)
            result = search(
                "refined", *case, probes, most_states=most_states, seed=seed, steps=budget
            )
    assert result.search.steps == sum(read)
    return Recorded(result=result, rounds=rounds, steps=steps)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=6)
@given(seed=seeds, most_states=st.integers(K + 1, 30), longest=st.integers(5, 20))
def test_a_refinement_tells_how_many_words_were_compared_and_when_the_last_differed(
    cell, seed, most_states, longest
):
    probes = Probes(words=SHORT, symbols=2, shortest=0, longest=longest)
    found = recorded(cell, seed, most_states=most_states, probes=probes)
    result, before_last = found.result, sum(map(len, found.rounds[:-1]))
    assert result.search.steps_to_last == (
        found.steps[found.differences - 1] if found.differences else 0
    )
    assert result.search.tests == before_last + len(found.rounds[-1])
    model, *_ = lived(cell, 2, seed, metric=False)
    wrong = result.automaton.classify(found.rounds[-1]) != answers(model, found.rounds[-1])
    if not result.search.complete:
        assert before_last < result.search.last_difference <= result.search.tests
        return
    assert not wrong.any()
    if found.differences:
        assert before_last - len(found.rounds[-2]) < result.search.last_difference <= before_last
    else:
        assert result.search.last_difference == 0


@few
@given(seed=seeds)
def test_each_round_asks_the_given_words_and_others_of_each_kind(seed):
    for words in recorded("gru", seed).rounds:
        assert len(words) == len(LIVED) + 3 * DRAWN
        assert words.keys()[: len(LIVED)] == SHORT.keys()


@settings(max_examples=10)
@given(seed=seeds, share=st.floats(0.01, 1))
def test_it_ends_after_the_round_in_which_the_network_has_read_as_many_symbols_as_it_may(
    seed, share
):
    whole = recorded("gru", seed)
    budget = max(1, int(share * whole.result.search.steps))
    found = recorded("gru", seed, budget=budget)
    assert all(read < budget for read in found.steps[:-1])
    assert found.steps == whole.steps[: len(found.steps)]
    assert found.steps[-1] >= budget or len(found.steps) == len(whole.steps)


def test_a_round_splits_a_quarter_of_the_states_at_most():
    sizes: list[int] = []

    targets = StateComparison.targets

    def targets_and_count(comparison: StateComparison, stepped: list[np.ndarray]) -> np.ndarray:
        sizes.append(len(comparison.centers) + 1)
        return targets(comparison, stepped)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StateComparison, "targets", targets_and_count)
        recorded("gru", 5, most_states=30)
    assert sizes[0] == K + 1
    grown = [(old, new - old) for old, new in pairwise(sizes)]
    assert all(1 <= new <= max(1, old // 4) for old, new in grown)
    assert any(new > 1 for _, new in grown)


@few
@given(seed=seeds)
def test_of_a_language_of_one_length_it_answers_the_words_of_that_length(seed):
    every = Sequences.from_lists(list(product((0, 1), repeat=4)))
    probes = Probes.like(every, symbols=2, is_text=False, fixed_length=4)
    found, (model, *_) = (
        recorded("mgu", seed, most_states=40, probes=probes),
        lived("mgu", 2, seed, metric=False),
    )
    assert all(set(words.lengths) == {4} for words in found.rounds)
    assert found.result.search.complete
    np.testing.assert_array_equal(found.result.automaton.classify(every), answers(model, every))


# The states that are split


def places_plainly(
    model: TrainedModel, machine: Automaton, states: State, word: list[int], answer: int
) -> list[tuple[int, State]]:
    """Where a word may be blamed, one place after the other: the network still answers right from
    the center before, and no longer from the center after. The automaton's state after, and where
    the network itself goes."""
    path = [machine.start]
    for symbol in word:
        path.append(int(machine.transitions[path[-1], symbol]))
    rest = Sequences.from_lists([word[place:] for place in range(len(path))])
    right = model.predict_from(tuple(part[path] for part in states), rest).argmax(axis=1) == answer
    return [
        (path[place + 1], step_plainly(model, tuple(part[path[place]] for part in states), symbol))
        for place, symbol in enumerate(word)
        if right[place] and not right[place + 1]
    ]


def differing(
    cell: str, classes: int, seed: int, *, metric: bool, words: Sequences = EVERY_SHORT
) -> tuple:
    """A network, its first automaton, the states of that, the metric, and the words they answer
    differently."""
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    machine, states = before(model, points, clustering), center_states(model, points, clustering)
    wrong = np.flatnonzero(machine.classify(words) != answers(model, words))
    return (
        model,
        machine,
        states,
        clustering.metric,
        words.select(wrong),
        answers(model, words)[wrong],
    )


@kinds
@few
@given(seed=seeds)
def test_the_blamed_place_is_one_where_the_network_turns_from_right_to_wrong(
    cell, classes, metric, seed
):
    model, machine, states, matrix, words, right = differing(
        cell, classes, seed, metric=metric, words=SHORT
    )
    for row, (word, answer) in enumerate(zip(words, right, strict=True)):
        one = (words.select(np.array([row])), right[row : row + 1])
        found = np.concatenate(
            refined._new_centers(
                model, machine, states, *one, compared(model, states, matrix), 9, SearchLimits()
            )[0],
            axis=1,
        )
        places = places_plainly(model, machine, states, word.tolist(), answer)
        assert len(found) == 1
        assert any(
            np.allclose(found[0], np.concatenate(stepped), atol=1e-5) for _, stepped in places
        )


@kinds
@few
@given(seed=seeds, room=st.integers(1, 4))
def test_the_most_blamed_states_are_split_at_the_hidden_state_nearest_to_the_mean(
    cell, classes, metric, seed, room
):
    """Of words that can be blamed at one place alone."""
    model, machine, states, matrix, words, right = differing(cell, classes, seed, metric=metric)
    blamed = [
        places_plainly(model, machine, states, word.tolist(), a)
        for word, a in zip(words, right, strict=True)
    ]
    rows = np.array([row for row, places in enumerate(blamed) if len(places) == 1], int)
    if not len(rows):
        return
    found = refined._new_centers(
        model,
        machine,
        states,
        words.select(rows),
        right[rows],
        compared(model, states, matrix),
        room,
        SearchLimits(),
    )[0]
    reached = [blamed[row][0] for row in rows]
    blame = Counter(state for state, _ in reached)
    order = sorted(blame, key=lambda state: (-blame[state], state))[:room]
    assert {len(part) for part in found} == {len(order)}
    for place, state in enumerate(order):
        mine = [
            np.concatenate(stepped) for reached_state, stepped in reached if reached_state == state
        ]
        chosen = np.concatenate([part[place] for part in found])
        assert any(np.allclose(chosen, one, atol=1e-5) for one in mine)
        compare = (
            np.array([*mine, chosen]) @ matrix
            if matrix is not None
            else np.array([*mine, chosen])[:, :H]
        )
        away = np.linalg.norm(compare - compare[:-1].mean(axis=0), axis=1)
        assert away[-1] == pytest.approx(away.min(), abs=1e-5)


def test_a_place_is_found_by_halving():
    asked: list[Sequences] = []
    predict_from = TrainedModel.predict_from

    def predict_from_and_note(model: TrainedModel, states: State, words: Sequences) -> np.ndarray:
        asked.append(words)
        return predict_from(model, states, words)

    long = Sequences.from_lists(np.random.default_rng(0).integers(2, size=(50, 64)))
    model, machine, states, matrix, words, right = differing("gru", 2, 3, metric=False, words=long)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainedModel, "predict_from", predict_from_and_note)
        refined._new_centers(
            model, machine, states, words, right, compared(model, states, matrix), 1, SearchLimits()
        )
    assert len(asked) == 6
    assert all(len(suffixes) == len(words) for suffixes in asked)


@kinds
@few
@given(seed=seeds)
def test_a_step_that_was_wrong_leads_to_a_new_state(cell, classes, metric, seed):
    model, machine, states, matrix, words, right = differing(
        cell, classes, seed, metric=metric, words=SHORT
    )
    for row in range(len(words)):
        one = (words.select(np.array([row])), right[row : row + 1])
        fresh = refined._new_centers(
            model, machine, states, *one, compared(model, states, matrix), 1, SearchLimits()
        )[0]
        more = tuple(np.concatenate(parts) for parts in zip(states, fresh, strict=True))
        assert (transitions_from_centers(model, more, matrix)[: K + 1] == K + 1).any()


# Networks that have learned a language


@pytest.fixture(
    scope="module",
    params=[("tomita-1", "gru"), ("tomita-2", "gru"), ("tomita-2", "lstm")],
    ids="-".join,
)
def learned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, TrainedModel, Points, Sequences]:
    """A language, a network that has learned it, and its states on the words of the validation
    split."""
    language, cell = request.param
    sizes = {"train": 1000, "validation": 200, "selection": 100, "test": 100}
    data = build(LANGUAGES[language], sizes=sizes, max_length=12, balanced=True, seed=0)
    config = TrainingSettings(learning_rate=0.05, batch_size=128, max_epochs=40, device="cpu")
    model = training.train(
        data, cell=cell, models=ModelsSettings(hidden_size=8), settings=config, trials=[0]
    )[0]
    folder = tmp_path_factory.mktemp("learned")
    hidden_states.dump(model, data, folder)
    return language, model, HiddenStates(folder=folder).read(), data.splits["validation"].sequences


def two_clusters(points: Points, *, whole: bool) -> Clustering:
    """Two clusters by k-means; `whole` states are compared, an LSTM's c beside its h, or h
    alone."""
    (clustering,) = cluster(points, [2], method="kmeans", seed=0)
    size = points.state.shape[1] * (1 if points.cell_state is None else 2)
    return replace(clustering, metric=np.eye(size, dtype=np.float32) if whole else None)


def assert_exact(language: str, result: Extraction) -> None:
    exact = LANGUAGES[language].automaton
    assert result.search.complete
    assert exact.distinguishing_word(result.automaton) is None
    assert result.automaton.n_states == exact.minimized().n_states


@pytest.mark.parametrize("whole", [False, True])
def test_two_clusters_of_a_learned_language_become_exactly_that_language(learned, whole):
    language, model, points, words = learned
    clustering = two_clusters(points, whole=whole)
    probes = Probes.like(words, symbols=2, is_text=False, fixed_length=None)
    assert_exact(
        language, search("refined", model, points, clustering, probes, most_states=30, seed=0)
    )


@pytest.mark.parametrize("whole", [False, True])
def test_two_clusters_become_four_states_where_the_language_needs_them(
    network, words, dumped, whole
):
    points, sequences = dumped.read(), words.splits["validation"].sequences
    clustering = two_clusters(points, whole=whole)
    first = before(network, points, clustering)
    assert LANGUAGES["000"].automaton.distinguishing_word(first) is not None
    probes = Probes.like(sequences, symbols=2, is_text=False, fixed_length=None)
    assert_exact(
        "000", search("refined", network, points, clustering, probes, most_states=30, seed=0)
    )
