from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lisor
from lisor.clustering.clustering import cluster
from lisor.errors import ModelError
from lisor.extraction.extract import extract
from lisor.extraction.probes import Probes
from lisor.extraction.view import View
from lisor.networks import hidden_states
from lisor.networks.pools.attention import Attention
from lisor.networks.pools.pool import Pool
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS, METHODS, POOLS, RECURRENT, network_names, rules_of, split_name
from lisor.sequences import Sequences
from tests.conftest import random_network, train_quickly

R, B, T, H = 2, 3, 7, 4
lengths = st.lists(st.integers(0, T), min_size=B, max_size=B)
POOLED = [name for name in network_names() if split_name(name)[0] is not None]
pools = pytest.mark.parametrize("pool", tuple(POOLS))


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(R)]


def drawn_hidden() -> torch.Tensor:
    return torch.randn(R, T + 1, B, H, generator=torch.Generator().manual_seed(0))


def by_definition(pool: Pool, hidden: np.ndarray, trial: int) -> np.ndarray:
    """What is pooled over steps [T, H], from the definition of each."""
    if not len(hidden):
        return np.zeros(H)
    if not isinstance(pool, Attention):
        return {"Mean": hidden.mean(axis=0), "Maximum": hidden.max(axis=0)}[type(pool).__name__]
    powers = np.exp(hidden @ pool.score[trial].detach().double().numpy())
    return (powers * hidden).sum(axis=0) / powers.sum()


@pools
@given(some=lengths)
def test_whole_sequences_and_single_steps_agree_with_the_definition(
    pool: str, some: list[int]
) -> None:
    made, hidden = POOLS[pool](H, generators()), drawn_hidden()
    counts = torch.tensor([some, some[::-1]])
    whole = made(hidden, counts)
    pooled, weight = torch.zeros(R, B, H), torch.ones(R, B, 1)
    by_step = [pooled]
    for step in range(T):
        pooled, weight = made.step(pooled, weight, hidden[:, step + 1])
        assert ((weight >= 0) & (weight < 1)).all()
        by_step.append(pooled)
    for trial, row in enumerate(counts.tolist()):
        for column, length in enumerate(row):
            right = by_definition(
                made, hidden[trial, 1 : length + 1, column].double().numpy(), trial
            )
            for found in (whole[trial, column], by_step[length][trial, column]):
                np.testing.assert_allclose(found.detach().numpy(), right, atol=1e-5)


@pools
def test_gradients_of_a_batch_with_an_empty_sequence_are_numbers(pool: str) -> None:
    made, hidden = POOLS[pool](H, generators()), drawn_hidden().requires_grad_()
    made(hidden, torch.tensor([[0, 3, T], [0, 0, 1]])).square().sum().backward()
    assert torch.isfinite(hidden.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in made.parameters())


@given(lengths)
def test_weights_of_attention_sum_to_one_and_are_zero_on_padding(some: list[int]) -> None:
    counts = torch.tensor([some, some[::-1]])
    weights = Attention(H, generators()).weights(drawn_hidden(), counts)
    for trial, row in enumerate(counts.tolist()):
        for column, length in enumerate(row):
            assert (weights[trial, length:, column] == 0).all()
            assert (weights[trial, :length, column] > 0).all()
            assert weights[trial, :, column].sum().item() == pytest.approx(min(1, length), abs=1e-5)


def test_a_large_score_is_kept() -> None:
    """The logarithm of the sum of weights is kept in few bits, and must not be lost there."""
    hidden = torch.tensor([[[[0.0]], [[90.0]], [[1.0]], [[90.5]], [[-90.0]]]])
    made = Attention(1, generators()[:1])
    made.score.data.fill_(1.0)
    pooled, weight = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    for step in range(1, 5):
        pooled, weight = made.step(pooled, weight, hidden[:, step])
    torch.testing.assert_close(pooled, made(hidden, torch.tensor([[4]])), rtol=1e-5, atol=0)


def some_words(count: int = 60, longest: int = 9) -> Sequences:
    rng = np.random.default_rng(0)
    return Sequences.from_lists([rng.integers(0, 2, n % (longest + 1)) for n in range(count)])


def state_of(model: TrainedModel, words: Sequences) -> tuple[np.ndarray, ...]:
    """The state after each word, one symbol after the other."""
    rows: list[Sequence[np.ndarray]] = []
    for word in words:
        state = model.initial_state()
        for symbol in word:
            state = model.step(state, int(symbol))
        rows.append([part[0].numpy() for part in state])
    return tuple(np.concatenate(part) for part in zip(*rows, strict=True))


@pytest.mark.parametrize("name", POOLED)
def test_a_network_that_pools_is_a_state_machine(name: str) -> None:
    model, words = random_network(name, seed=1), some_words()
    states = state_of(model, words)
    assert tuple(part.shape[1] for part in states) == model.sizes
    np.testing.assert_allclose(model.probabilities(states[0]), model.predict(words), atol=1e-5)
    after = words.select(np.arange(len(words))[::-1])
    both = Sequences.from_lists(
        [[*first, *second] for first, second in zip(words, after, strict=True)]
    )
    np.testing.assert_allclose(model.predict_from(states, after), model.predict(both), atol=1e-5)
    symbols = np.arange(len(words)) % 2
    advanced = np.concatenate(model.advance(states, symbols), axis=1)
    followed = np.stack([*model.successors(states)])[np.arange(len(words)), symbols]
    np.testing.assert_allclose(advanced, followed, atol=1e-6)
    points = hidden_states.collect(model, words)
    assert points.state.shape[1] == 2 * model.architecture.hidden_size + 1
    assert points.prediction is None


@pytest.mark.parametrize("name", ["attention-gru", "mean-lstm", "max-srn"])
def test_every_method_and_rule_reads_a_network_that_pools(name: str) -> None:
    data = lisor.words("000", max_length=8)
    model = train_quickly(data, cell=name, hidden_size=6)
    points = hidden_states.collect(model, data.splits["validation"].sequences)
    rules = rules_of(model.target, reads_numbers=False)
    for method in METHODS:
        (found,) = cluster(points, [4], method=method, network=model, seed=0)
        view = View(network=model, points=points, clustering=found, probes=Probes.of(data))
        assert [each.rule for each in extract(view, rules)] == rules
        rules = ["dynamics"]  # all of them on the clusters of the first


@pytest.mark.parametrize(
    "name",
    [
        "attention-gru",
        "max-gru",
        pytest.param("attention-lstm", marks=pytest.mark.slow),
        pytest.param("mean-gru", marks=pytest.mark.slow),
    ],
)
def test_the_automaton_of_a_network_that_pools_is_exact(name: str) -> None:
    data = lisor.words("000", max_length=10)
    network = lisor.train(data, cell=name, hidden_size=10)
    # Beyond the lengths that it was trained on, a mean may be wrong.
    automaton = lisor.extract(network, [*data.splits["train"].sequences])
    assert automaton.distinguishing_word(data.language.automaton) is None


def test_attention_says_how_much_each_symbol_counts() -> None:
    words = some_words()
    for word, weights in zip(words, random_network("attention-gru").attention(words), strict=True):
        assert len(weights) == len(word)
        assert weights.sum() == pytest.approx(min(1, len(word)), abs=1e-5)


@pytest.mark.parametrize("name", ["gru", "mean-gru", RECURRENT])
def test_a_network_without_attention_has_none(name: str) -> None:
    with pytest.raises(ModelError, match=f"got {name}"):
        random_network(name).attention(Sequences.from_lists([[0]]))


def test_names_of_networks_tell_pool_and_cell() -> None:
    assert split_name("gru") == (None, "gru")
    assert split_name("mean-gru") == ("mean", "gru")
    assert split_name(RECURRENT) == (None, RECURRENT)
    assert len(POOLED) == len(POOLS) * len(CELLS)
