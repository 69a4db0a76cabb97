import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lisor.errors import ModelError, SchemaError
from lisor.networks import trained as module
from lisor.networks.batches import length_batches
from lisor.networks.classifier import Architecture, Classifier, Dropout
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.strategies import ragged_sequences

S, D, H, C = 3, 5, 4, 2


def classifier(cell: str = "gru", seeds=(0, 1), *, learned: bool = True) -> Classifier:
    architecture = Architecture(
        cell=cell, symbols=S, classes=C, hidden_size=H, vector_size=D, learned_vectors=learned
    )
    vectors = torch.randn(S, D, generator=torch.Generator().manual_seed(9))
    return Classifier(architecture, seeds, vectors=None if learned else vectors).requires_grad_(
        False
    )


def batch(*words: list[int], width: int, filler: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Words as two equal trials, padded with a filler."""
    rows = [[*word, *[filler] * (width - len(word))] for word in words]
    symbols = torch.tensor(rows, dtype=torch.long).reshape(1, len(words), width)
    return symbols.expand(2, -1, -1), torch.tensor([[len(word) for word in words]]).expand(2, -1)


def logits_of(
    network: Classifier,
    symbols: torch.Tensor,
    lengths: torch.Tensor,
    dropout: Dropout | None = None,
) -> torch.Tensor:
    """[R, B, C]: the read-out at the one position of each word."""
    (logits,) = network(symbols, lengths, dropout).unbind(dim=2)
    return logits


def drop(network: Classifier, rate: float, *seeds: int, size: int = 4) -> Dropout:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return Dropout.draw(network.architecture, size, rate, generators)


@pytest.mark.parametrize("cell", CELLS)
@given(
    words=st.lists(st.lists(st.integers(0, S - 1), max_size=5), min_size=1, max_size=4),
    filler=st.integers(0, 2),
)
def test_padding_changes_nothing(cell, words, filler):
    network = classifier(cell)
    narrow = logits_of(network, *batch(*words, width=max(1, *map(len, words))))
    wide = logits_of(network, *batch(*words, width=9, filler=filler))
    torch.testing.assert_close(narrow, wide, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_the_empty_sequence_is_answered_from_the_initial_state(cell):
    network = classifier(cell)
    nn.init.normal_(network.output_bias)
    logits = logits_of(network, *batch([], [1, 2], width=2))
    assert torch.equal(logits[:, 0], network.output_bias[:, 0])
    torch.testing.assert_close(
        logits[:, 0], network.read_out(network.cell.initial_state(1)[0])[:, 0]
    )


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_but_empty_sequences_is_answered_too(cell):
    network = classifier(cell)
    assert torch.equal(
        logits_of(network, *batch([], [], width=0)), network.output_bias.expand(2, 2, C)
    )


@pytest.mark.parametrize("cell", CELLS)
def test_hidden_states_are_the_same_bits_where_a_gradient_is_wanted(cell):
    symbols, _ = batch([0, 1, 2, 1], [2, 2, 0, 1], width=4)
    without = classifier(cell).hidden_states(symbols)
    within = classifier(cell).requires_grad_().hidden_states(symbols)
    assert within.requires_grad
    assert torch.equal(without, within)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("learned", [False, True])
def test_each_trial_is_the_network_built_from_its_seed_alone(cell, learned):
    stack = classifier(cell, (3, 5), learned=learned)
    symbols, lengths = batch([0, 1, 2], [2], [], width=3)
    for trial, seed in enumerate([3, 5]):
        alone = classifier(cell, [seed], learned=learned)
        weights = stack.trial_weights(trial)
        assert weights.keys() == alone.state_dict().keys()
        assert all(torch.equal(weights[name], value) for name, value in alone.state_dict().items())
        torch.testing.assert_close(
            logits_of(stack, symbols, lengths)[trial], logits_of(alone, symbols[:1], lengths[:1])[0]
        )


def test_trials_read_different_symbols_side_by_side():
    network = classifier()
    (one, lengths), (two, _) = batch([0, 1], width=2), batch([2, 2], width=2)
    mixed = logits_of(network, torch.stack([one[0], two[1]]), lengths)
    torch.testing.assert_close(mixed[0], logits_of(network, one, lengths)[0])
    torch.testing.assert_close(mixed[1], logits_of(network, two, lengths)[1])


@given(rate=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_dropout_factors_are_zero_or_make_up_for_those_that_are(rate, seed):
    for factors, width in zip(drop(classifier(), rate, seed, seed + 1), (D, H), strict=True):
        assert factors.shape == (2, 4, width)
        kept = factors[factors != 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_the_share_that_is_dropped(rate):
    for factors in drop(classifier(), rate, 0, size=5000):
        assert float((factors == 0).float().mean()) == pytest.approx(rate, abs=0.01)
        assert float(factors.mean()) == pytest.approx(1, abs=0.05)


def test_what_a_trial_drops_depends_on_its_own_generator_alone():
    stacked = drop(classifier(), 0.5, 3, 5)
    for trial, seed in enumerate([3, 5]):
        for mine, alone in zip(stacked, drop(classifier(), 0.5, seed), strict=True):
            assert torch.equal(mine[trial], alone[0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("learned", [False, True])
def test_dropping_nothing_changes_nothing(cell, learned):
    network = classifier(cell, learned=learned)
    symbols, lengths = batch([0, 1, 2], [2], [], [1, 1], width=3)
    assert torch.equal(
        logits_of(network, symbols, lengths, drop(network, 0, 3, 5)),
        logits_of(network, symbols, lengths),
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("learned", [False, True])
@given(
    words=st.lists(st.lists(st.integers(0, S - 1), max_size=5), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_at_every_step_the_same_is_dropped_and_once_more_at_the_read_out(
    cell, learned, words, seed
):
    network = classifier(cell, [7], learned=learned)
    dropout = drop(network, 0.4, seed)
    width = max(map(len, words))
    symbols, lengths = (tensor[:1] for tensor in batch(*words, width=width))
    logits = logits_of(network, symbols, lengths, dropout)[0]
    for row, word in enumerate(words):
        scaled = classifier(cell, [7], learned=learned)
        scaled.vectors.mul_(dropout.vectors[0, row])
        hidden = scaled.hidden_states(torch.tensor(word, dtype=torch.long)[None, None])[0, -1]
        expected = scaled.read_out(hidden[None] * dropout.hidden[:, row])[0, 0]
        torch.testing.assert_close(logits[row], expected, atol=1e-6, rtol=1e-5)


def test_trials_drop_side_by_side_what_they_drop_alone():
    symbols, lengths = batch([0, 1, 2], [2], [], [1, 1], width=3)
    stack = classifier("lstm", (3, 5))
    together = logits_of(stack, symbols, lengths, drop(stack, 0.5, 8, 9))
    for trial, (seed, generator) in enumerate([(3, 8), (5, 9)]):
        network = classifier("lstm", [seed])
        alone = logits_of(network, symbols[:1], lengths[:1], drop(network, 0.5, generator))
        torch.testing.assert_close(together[trial], alone[0])


@pytest.mark.parametrize("vectors", [None, torch.zeros(S, D + 1), torch.zeros(S + 1, D)])
def test_given_vectors_must_fit_the_sizes(vectors):
    architecture = Architecture(
        cell="gru", symbols=S, classes=C, hidden_size=H, vector_size=D, learned_vectors=False
    )
    with pytest.raises(ModelError, match=rf"word vectors of shape \({S}, {D}\)"):
        Classifier(architecture, [0], vectors=vectors)


@pytest.mark.parametrize("cell", CELLS)
@given(ragged_sequences(symbols=3))
def test_step_by_step_a_network_answers_as_it_predicts(cell, sequences):
    network = random_network(cell, symbols=3)
    for sequence, expected in zip(sequences, network.predict(sequences), strict=True):
        state = network.initial_state()
        for symbol in sequence.tolist():
            state = network.step(state, symbol)
        probabilities = network.probabilities(state[0][0].numpy())[0]
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        if abs(expected[1] - expected[0]) > 1e-5:
            assert network.is_accepting(state) == (expected.argmax() == 1)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15)
@given(count=st.integers(0, 4), seed=st.integers(0, 99))
def test_successors_are_the_steps_on_each_symbol_one_by_one(cell, count, seed):
    model = random_network(cell, symbols=S, hidden_size=H, seed=seed)
    parts = len(model.initial_state())
    states = tuple(np.random.default_rng(seed).normal(size=(parts, count, H)).astype(np.float32))
    found = list(model.successors(states))
    assert [after.shape for after in found] == [(S, parts * H)] * count
    for row, after in enumerate(found):
        for symbol in range(S):
            state = model.step(
                tuple(torch.from_numpy(part[row])[None, None] for part in states), symbol
            )
            np.testing.assert_allclose(after[symbol], torch.cat(state, dim=-1)[0, 0], atol=1e-6)


def random_states(model: TrainedModel, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """States of a network at random: h, and for an LSTM c."""
    drawn = np.random.default_rng(seed).normal(size=(len(model.initial_state()), count, H))
    return tuple(drawn.astype(np.float32))


def step_plainly(
    model: TrainedModel, state: tuple[np.ndarray, ...], symbols: list[int]
) -> tuple[np.ndarray, ...]:
    """The state that symbols lead to from a state, one by one."""
    state = tuple(torch.from_numpy(part)[None, None] for part in state)
    for symbol in symbols:
        state = model.step(state, symbol)
    return tuple(part[0, 0].numpy() for part in state)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15)
@given(symbols=st.lists(st.integers(0, S - 1), max_size=5), seed=st.integers(0, 99))
def test_states_advance_side_by_side_as_step_by_step(cell, symbols, seed):
    model = random_network(cell, symbols=S, hidden_size=H, seed=seed)
    states = random_states(model, len(symbols), seed)
    after = model.advance(states, np.array(symbols, np.int32))
    assert [part.shape for part in after] == [(len(symbols), H)] * len(states)
    for row, symbol in enumerate(symbols):
        expected = step_plainly(model, tuple(part[row] for part in states), [symbol])
        np.testing.assert_allclose([part[row] for part in after], expected, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("classes", [2, 3])
@settings(max_examples=15)
@given(sequences=ragged_sequences(symbols=S), seed=st.integers(0, 99))
def test_each_sequence_is_read_from_a_state_of_its_own(cell, classes, sequences, seed):
    model = random_network(cell, symbols=S, classes=classes, hidden_size=H, seed=seed)
    states = random_states(model, len(sequences), seed)
    answers = model.predict_from(states, sequences)
    assert answers.shape == (len(sequences), classes)
    for row, sequence in enumerate(sequences):
        hidden = step_plainly(model, tuple(part[row] for part in states), sequence.tolist())[0]
        np.testing.assert_allclose(answers[row], model.probabilities(hidden[None])[0], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15)
@given(sequences=ragged_sequences(symbols=S))
def test_from_the_initial_state_a_network_answers_as_it_predicts(cell, sequences):
    model = random_network(cell, symbols=S, hidden_size=H)
    initial = tuple(
        np.repeat(part[0].numpy(), len(sequences), axis=0) for part in model.initial_state()
    )
    np.testing.assert_allclose(
        model.predict_from(initial, sequences), model.predict(sequences), atol=1e-6
    )


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15)
@given(
    words=st.lists(st.lists(st.integers(0, S - 1), min_size=1, max_size=6), max_size=5),
    seed=st.integers(0, 99),
)
def test_what_is_left_of_a_sequence_is_answered_alike_from_the_state_after_its_first_symbol(
    cell, words, seed
):
    model = random_network(cell, symbols=S, hidden_size=H, seed=seed)
    states = random_states(model, len(words), seed)
    after = model.advance(states, np.array([word[0] for word in words], np.int32))
    whole = model.predict_from(states, Sequences.from_lists(words))
    rest = model.predict_from(after, Sequences.from_lists([word[1:] for word in words]))
    np.testing.assert_allclose(rest, whole, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15)
@given(
    word=st.lists(st.integers(0, S - 1), max_size=6),
    count=st.integers(2, 9),
    seed=st.integers(0, 9),
)
def test_a_single_sequence_is_read_from_each_state(cell, word, count, seed):
    model = random_network(cell, symbols=S, hidden_size=H, seed=seed)
    states = random_states(model, count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STATES_AT_ONCE", 4)
        found = model.predict_from(states, Sequences.from_lists([word]))
    expected = model.predict_from(states, Sequences.from_lists([word] * count))
    np.testing.assert_allclose(found, expected.reshape(count, -1), atol=1e-6)


def test_sequences_of_many_batches_are_each_read_from_their_own_state(monkeypatch):
    model = random_network("lstm", hidden_size=H)
    sequences = Sequences.from_lists([[0, 1, 1], [], [1], [0, 0, 1, 1, 0], [1, 0], []])
    states = random_states(model, len(sequences), 0)
    expected = model.predict_from(states, sequences)
    monkeypatch.setattr(
        module, "length_batches", lambda *arguments: length_batches(*arguments, most_symbols=1)
    )
    np.testing.assert_allclose(model.predict_from(states, sequences), expected, atol=1e-6)


def test_a_state_that_cannot_be_written_to_is_answered_from_too():
    model, sequences = (
        random_network("lstm", hidden_size=H),
        Sequences.from_lists([[0, 1], [], [1]]),
    )
    states = random_states(model, len(sequences), 0)
    expected = model.predict_from(states, sequences)
    for part in states:
        part.setflags(write=False)
    torch.set_warn_always(True)
    try:
        np.testing.assert_array_equal(model.predict_from(states, sequences), expected)
    finally:
        torch.set_warn_always(False)


def test_only_class_one_is_accepting_among_many():
    network = random_network(classes=3)
    network.network.output_bias.copy_(torch.tensor([0.0, 0.0, 9.0]))
    assert not network.is_accepting(network.initial_state())
    network.network.output_bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    assert network.is_accepting(network.initial_state())


@given(ragged_sequences())
def test_probabilities_sum_to_one_and_keep_the_order_of_the_sequences(sequences):
    network = random_network()
    probabilities = network.predict(sequences)
    np.testing.assert_allclose(probabilities.sum(axis=1), np.ones(len(sequences)), atol=1e-6)
    for row in range(len(sequences)):
        alone = network.predict(sequences.select(np.array([row])))
        np.testing.assert_allclose(probabilities[row], alone[0], atol=1e-6)


def test_hidden_states_that_cannot_be_written_to_are_answered_too():
    """Those of a dump are views of a file, of which torch warns, once for each process unless told
    otherwise."""
    states = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = random_network().probabilities(states)
    states.setflags(write=False)
    torch.set_warn_always(True)
    try:
        np.testing.assert_array_equal(random_network().probabilities(states), expected)
    finally:
        torch.set_warn_always(False)


@given(ragged_sequences(), st.integers(1, 20))
def test_batches_hold_each_sequence_once_shortest_first_and_no_more_than_asked(sequences, most):
    seen: list[int] = []
    for rows, symbols, lengths in length_batches(sequences, torch.device("cpu"), most):
        assert len(rows) == 1 or symbols.numel() <= most
        assert symbols[0].numpy().tolist() == sequences.select(rows).padded().tolist()
        assert lengths[0].tolist() == sequences.lengths[rows].tolist()
        seen.extend(rows)
    assert sorted(seen) == list(range(len(sequences)))
    assert sequences.lengths[seen].tolist() == sorted(sequences.lengths)


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_is_read_as_it_was_written(tmp_path, cell):
    written = random_network(cell)
    written.write(tmp_path)
    read = TrainedModel.read(tmp_path)
    for name in (
        "architecture",
        "alphabet",
        "classes",
        "seed",
        "history",
        "best_epoch",
    ):
        assert getattr(read, name) == getattr(written, name)
    assert read.weights.keys() == written.weights.keys()
    assert all(torch.equal(read.weights[name], value) for name, value in written.weights.items())
    words = Sequences.from_lists([[0, 1, 1], []])
    assert np.array_equal(read.predict(words), written.predict(words))


def change_description(folder, **fields) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_another_schema_is_refused(tmp_path):
    random_network().write(tmp_path)
    change_description(tmp_path, schema=99)
    with pytest.raises(SchemaError, match=f"schema {module.SCHEMA}, got 99"):
        TrainedModel.read(tmp_path)


def test_damaged_weights_are_refused(tmp_path):
    random_network().write(tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match="cannot be read"):
        TrainedModel.read(tmp_path)


@pytest.mark.parametrize(
    "change", [{"hidden_size": 5}, {"cell": "srn"}, {"classes": 3}, {"symbols": 3}]
)
def test_weights_of_other_sizes_are_refused(tmp_path, change):
    random_network().write(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())["architecture"]
    change_description(tmp_path, architecture=about | change)
    with pytest.raises(ModelError, match=r"the weights do not fit|expected word vectors"):
        TrainedModel.read(tmp_path)


def test_weights_and_history_cannot_be_replaced():
    network = random_network()
    for mapping in (network.weights, network.history):
        with pytest.raises(TypeError):
            mapping["new"] = None
