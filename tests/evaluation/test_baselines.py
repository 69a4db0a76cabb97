from dataclasses import fields

import pytest

from lisor.data.dataset import Dataset
from lisor.errors import ModelError
from lisor.evaluation import baselines
from lisor.evaluation.baselines import Learned, learn
from lisor.networks.cells.cell import State
from lisor.networks.trained import TrainedModel
from lisor.registry import BASELINES
from lisor.sequences import Sequences
from tests.conftest import random_network

PLENTY = 20_000


def changed(kind: type[TrainedModel]) -> TrainedModel:
    """A random network of another class."""
    model = random_network("gru", seed=1)
    return kind(
        **{part.name: getattr(model, part.name) for part in fields(model) if part.init}
        | {"history": {}}
    )


def as_values(learned: Learned) -> tuple[str | None, str | None, int]:
    return learned.automaton and learned.automaton.to_json(), learned.unfinished, learned.steps


@pytest.mark.parametrize("method", ["lstar", "kv"])
def test_wherever_its_steps_end_a_learner_has_its_last_hypothesis_or_none(
    network: TrainedModel, method: str
) -> None:
    none, found = Sequences.from_lists([]), []
    for budget in range(0, 400, 3):
        learned = learn(network, none, method=method, seed=0, budget=budget)
        assert learned.unfinished in (None, "out of steps")
        assert learned.steps == budget or learned.unfinished is None
        found.append(0 if learned.automaton is None else learned.automaton.n_states)
    assert found[0] < max(found)
    assert found == sorted(found)


@pytest.mark.parametrize("method", BASELINES)
def test_a_learner_that_finishes_answers_as_its_network_does(
    words: Dataset, network: TrainedModel, method: str
) -> None:
    asked = words.splits["validation"].sequences
    learned = learn(network, asked, method=method, seed=0, budget=PLENTY)
    assert learned.unfinished is None
    assert learned.automaton is not None
    assert 0 < learned.steps <= PLENTY
    agreed = learned.automaton.classify(asked) == network.predict(asked).argmax(axis=1)
    assert agreed.mean() > 0.99


@pytest.mark.parametrize("method", ["lstar", "kv"])
@pytest.mark.parametrize("budget", [100, 3000])
def test_the_same_seed_and_steps_give_the_same_automaton(method: str, budget: int) -> None:
    model, none = random_network("srn", seed=3), Sequences.from_lists([])
    one, two = (learn(model, none, method=method, seed=5, budget=budget) for _ in range(2))
    assert as_values(one) == as_values(two)


@pytest.mark.parametrize("method", ["lstar", "kv"])
def test_what_is_counted_is_what_the_network_reads(method: str) -> None:
    read: list[int] = []

    class Counting(TrainedModel):
        def step(self, state: State, symbol: int) -> State:
            read.append(symbol)
            return super().step(state, symbol)

    learned = learn(changed(Counting), Sequences.from_lists([]), method=method, seed=0, budget=700)
    assert learned.steps == len(read) <= 700


@pytest.mark.parametrize("method", ["lstar", "kv"])
def test_where_aalpy_fails_the_search_is_unfinished_and_says_why(method: str) -> None:
    asked: list[State] = []

    class Fickle(TrainedModel):
        """A network whose prediction for one word varies, at which AALpy exits."""

        def is_accepting(self, state: State) -> bool:
            asked.append(state)
            return len(asked) % 3 == 0

    learned = learn(changed(Fickle), Sequences.from_lists([]), method=method, seed=0, budget=PLENTY)
    assert learned.unfinished is not None
    assert learned.unfinished.startswith("AALpy failed: SystemExit Non-determinism detected.")
    assert len(learned.unfinished) < 50 + baselines.MAX_REASON


def test_rpni_rejects_what_begins_with_a_symbol_of_which_it_has_no_word() -> None:
    model, ones = random_network(), Sequences.from_lists([[1], [1, 1], []])
    learned = learn(model, ones, method="rpni", seed=0, budget=PLENTY)
    assert learned.unfinished is None
    assert learned.automaton is not None
    assert (learned.automaton.classify(ones) == model.predict(ones).argmax(axis=1)).all()
    assert not learned.automaton.classify(Sequences.from_lists([[0], [1, 0, 1]])).any()


def test_nothing_to_generalise_from_is_an_unfinished_search() -> None:
    learned = learn(
        random_network(), Sequences.from_lists([]), method="rpni", seed=0, budget=PLENTY
    )
    assert (learned.automaton is None) == (learned.unfinished is not None)


@pytest.mark.parametrize("kind", [ModelError, RuntimeError])
def test_an_error_of_the_network_is_no_failure_of_the_learner(kind: type[Exception]) -> None:
    class Broken(TrainedModel):
        def step(self, state: State, symbol: int) -> State:
            raise kind("the network cannot step")

    with pytest.raises(kind, match="cannot step"):
        learn(changed(Broken), Sequences.from_lists([]), method="kv", seed=0, budget=PLENTY)
