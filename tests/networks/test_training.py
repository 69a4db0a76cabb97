from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss
from torch import nn

from lisor.alphabet import Alphabet
from lisor.automata.languages import LANGUAGES
from lisor.data.dataset import Dataset, Split
from lisor.data.words import build
from lisor.errors import ModelError
from lisor.networks import training
from lisor.networks.classifier import Architecture, Classifier
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

QUICK = TrainingSettings(max_epochs=2, batch_size=128, learning_rate=0.02, restarts=0, device="cpu")


def train(
    dataset: Dataset, *, cell="gru", settings=QUICK, trials=(0,), on_epoch=None
) -> list[TrainedModel]:
    models = ModelsSettings(hidden_size=6, vector_size=5)
    return training.train(
        dataset, cell=cell, models=models, settings=settings, trials=trials, on_epoch=on_epoch
    )


TEXT = Alphabet(symbols=("0", "1"), tokenizer="words")


@pytest.fixture
def exact_floats():
    """Double precision, in which rounding is too small to hide a mistake."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def texts(words: Dataset) -> Dataset:
    """The words as if they were text, with one class more that nothing has, so vectors are
    learned."""
    return replace(
        words,
        classes=(*words.classes, "neither"),
        alphabet=Alphabet(symbols=words.alphabet.symbols, unknown=1, tokenizer="words"),
        language=None,
    )


def test_a_network_learns_the_language(network, words):
    assert network.history["validation_accuracy"][network.best_epoch] == 1
    for split in words.splits.values():
        assert (network.predict(split.sequences).argmax(axis=1) == split.labels).mean() > 0.99


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", ["words", "texts"])
def test_trials_trained_side_by_side_equal_those_trained_alone(cell, kind, request):
    dataset = request.getfixturevalue(kind)
    together = train(dataset, cell=cell, trials=(0, 1, 2))
    for trial, network in enumerate(together):
        (alone,) = train(dataset, cell=cell, trials=(trial,))
        assert network.seed == alone.seed
        for name, value in alone.weights.items():
            torch.testing.assert_close(network.weights[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_trial_that_leaves_the_stack_leaves_the_others_unchanged(dropout, exact_floats):
    sizes = {"train": 256, "validation": 64, "selection": 1, "test": 1}
    words = build(LANGUAGES["000"], sizes=sizes, max_length=8, balanced=True, seed=0)
    settings = QUICK.replace(max_epochs=24, patience=1, learning_rate=0.1, dropout=dropout)
    together = train(words, settings=settings, trials=(0, 1, 2, 3))
    epochs = [len(network.history["train_loss"]) for network in together]
    assert len(set(epochs)) > 2, (
        "the trials should end at different epochs for this test to mean anything"
    )
    for trial, network in enumerate(together):
        (alone,) = train(words, settings=settings, trials=(trial,))
        for name, curve in alone.history.items():
            np.testing.assert_allclose(network.history[name], curve, rtol=1e-6)
        for name, value in alone.weights.items():
            torch.testing.assert_close(network.weights[name], value, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("kind", ["words", "texts"])
def test_with_dropout_trials_trained_side_by_side_equal_those_trained_alone(
    cell, kind, request, exact_floats
):
    dataset, settings = request.getfixturevalue(kind), QUICK.replace(dropout=0.3)
    together = train(dataset, cell=cell, settings=settings, trials=(0, 1))
    for trial, network in enumerate(together):
        (alone,) = train(dataset, cell=cell, settings=settings, trials=(trial,))
        for name, value in alone.weights.items():
            torch.testing.assert_close(network.weights[name], value, atol=1e-9, rtol=1e-9)


def test_dropout_so_rare_that_nothing_is_dropped_changes_nothing(words, exact_floats):
    for without, rare in zip(
        *(train(words, settings=QUICK.replace(dropout=rate)) for rate in (0, 1e-12)), strict=True
    ):
        for name, value in without.weights.items():
            torch.testing.assert_close(rare.weights[name], value, atol=1e-9, rtol=1e-9)


def test_dropout_changes_what_is_learned(words):
    (one,), (other,) = (train(words, settings=QUICK.replace(dropout=rate)) for rate in (0, 0.5))
    assert not torch.allclose(
        one.weights["output_weight"], other.weights["output_weight"], atol=1e-3
    )


def test_each_epoch_drops_something_else(exact_floats):
    split = Split(
        sequences=Sequences.from_lists([[0, 1]] * 8), labels=np.zeros(8, int)
    )  # in any order the same
    dataset = Dataset(
        alphabet=("0", "1"), classes=("no", "yes"), splits={"train": split, "validation": split}
    )
    frozen = QUICK.replace(learning_rate=1e-30, max_epochs=3)
    (without,), (dropped,) = (
        train(dataset, settings=frozen.replace(dropout=rate)) for rate in (0, 0.5)
    )
    assert len(set(without.history["train_loss"])) == 1
    assert len(set(dropped.history["train_loss"])) == 3


def test_validation_drops_nothing(words):
    for network in train(words, settings=QUICK.replace(dropout=0.5), trials=(0, 1)):
        scores = training.evaluate(network.network, words.splits["validation"])
        for name, curve in scores.items():
            assert network.history[name][network.best_epoch] == pytest.approx(curve[0], rel=1e-5)


def test_no_trial_depends_on_which_others_there_are(words):
    (two, seven) = train(words, trials=(2, 7))
    assert two.seed == training.trial_seed(QUICK.seed, 2) != seven.seed
    assert two.seed != training.trial_seed(QUICK.seed + 1, 2)


def test_the_weights_are_those_of_the_epoch_of_lowest_validation_loss(words):
    settings = QUICK.replace(max_epochs=12, patience=2, learning_rate=0.3)
    for network in train(words, cell="srn", settings=settings, trials=(0, 1, 2)):
        losses = network.history["validation_loss"]
        assert network.best_epoch == np.argmin(losses)
        scores = training.evaluate(network.network, words.splits["validation"])
        np.testing.assert_allclose(
            scores["validation_loss"][0], losses[network.best_epoch], rtol=1e-5
        )
        assert (
            scores["validation_accuracy"][0]
            == network.history["validation_accuracy"][network.best_epoch]
        )


@pytest.mark.parametrize("patience", [1, 3])
def test_training_ends_when_the_validation_loss_has_not_fallen_for_so_many_epochs(words, patience):
    validation = words.splits["validation"]
    noise = Split(
        sequences=validation.sequences,
        labels=np.random.default_rng(0).permutation(validation.labels),
    )
    unlearnable = replace(words, splits={**words.splits, "validation": noise})
    for network in train(
        unlearnable, settings=QUICK.replace(max_epochs=60, patience=patience), trials=(0, 1, 2)
    ):
        assert len(network.history["validation_loss"]) - 1 - network.best_epoch == patience


def test_training_ends_at_the_last_epoch_allowed(words):
    (network,) = train(words, settings=QUICK.replace(max_epochs=3))
    curves = ("train_loss", "validation_loss", training.ACCURACY, training.BALANCED_ACCURACY)
    assert {name: len(curve) for name, curve in network.history.items()} == dict.fromkeys(curves, 3)


def test_training_ends_when_nothing_is_left_to_learn(network):
    accuracy, loss = network.history["validation_accuracy"], network.history["validation_loss"]
    solved = [a == 1 and b < training.SOLVED for a, b in zip(accuracy, loss, strict=True)]
    assert solved.index(True) == len(solved) - 1 == network.best_epoch


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dropout", [0, 0.3])
def test_the_same_seed_gives_the_same_bytes(words, tmp_path, cell, dropout):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        train(words, cell=cell, settings=QUICK.replace(dropout=dropout), trials=(0, 1))[1].write(
            folder
        )
    for name in ("weights.safetensors", "model.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_another_seed_gives_another_network(words):
    one, other = train(words)[0], train(words, settings=QUICK.replace(seed=1))[0]
    assert not torch.equal(one.weights["output_weight"], other.weights["output_weight"])


def test_a_loss_that_is_never_a_number_is_refused(words):
    with pytest.raises(ModelError, match=r"trial 4 of gru diverged.*lower training\.learning_rate"):
        train(words, settings=QUICK.replace(learning_rate=1e38), trials=(4,))


def test_trials_that_diverge_take_nothing_from_those_trained_beside_them(words):
    settings = QUICK.replace(learning_rate=1e37)
    with pytest.raises(training.DivergedError, match="of gru diverged") as error:
        train(words, settings=settings, trials=range(5))
    kept = error.value.trained
    assert 0 < len(kept) < 5
    for trial, network in kept.items():
        assert network.seed == training.trial_seed(settings.seed, trial)
        assert np.isfinite(network.history["validation_loss"][network.best_epoch])


def test_a_trial_that_does_not_learn_its_language_is_begun_anew_and_the_best_is_kept(words):
    first = train(words, trials=(0, 1))
    assert all(
        network.history["validation_accuracy"][network.best_epoch] < training.LEARNED
        for network in first
    )
    anew = train(words, settings=QUICK.replace(restarts=2), trials=(0, 1))
    for trial, (before, after) in enumerate(zip(first, anew, strict=True)):
        assert min(after.history["validation_loss"]) <= min(before.history["validation_loss"])
        assert after.seed == training.trial_seed(QUICK.seed, trial, after.restarts)
    assert before.restarts == 0


def test_a_network_that_has_learned_is_not_begun_anew(words):
    settings = TrainingSettings(learning_rate=0.02, restarts=0)
    learned = train(words, settings=settings, trials=(0,))
    assert learned[0].history["validation_accuracy"][learned[0].best_epoch] >= training.LEARNED
    (same,) = train(words, settings=settings.replace(restarts=3), trials=(0,))
    assert (same.seed, same.restarts, same.history) == (learned[0].seed, 0, learned[0].history)


def test_text_is_trained_once(texts):
    once, asked = (
        train(texts, settings=QUICK.replace(restarts=number), trials=(0,))[0] for number in (0, 3)
    )
    assert (asked.seed, asked.restarts) == (once.seed, 0)


def test_each_epoch_is_told_with_the_trials_left_and_the_best_accuracy(words):
    told = []
    networks = train(
        words,
        settings=QUICK.replace(max_epochs=14, patience=1, learning_rate=0.1),
        trials=(0, 1, 2),
        on_epoch=lambda *facts: told.append(facts),
    )
    accuracies = [network.history["validation_accuracy"] for network in networks]
    for epoch, facts in enumerate(told):
        still = [curve[epoch] for curve in accuracies if len(curve) > epoch]
        assert facts == (epoch + 1, len(still), "validation accuracy", max(still))
    assert len(told) == max(map(len, accuracies))


def test_each_trial_and_epoch_has_an_order_of_its_own_sorted_by_length_within_chunks():
    lengths = np.random.default_rng(0).integers(0, 20, size=1000)
    orders = [training._order(lengths, seed, epoch, 4) for seed in (0, 1) for epoch in (0, 1)]
    assert len({order.tobytes() for order in orders}) == 4
    for order in orders:
        assert sorted(order) == list(range(1000))
        for start in range(0, 1000, training.CHUNK * 4):
            chunk = lengths[order[start : start + training.CHUNK * 4]]
            assert (np.diff(chunk) >= 0).all()


def test_the_gradient_of_each_trial_is_clipped_as_torch_clips_it():
    architecture = Architecture(
        cell="mgu", symbols=3, classes=2, hidden_size=4, vector_size=5, learned_vectors=True
    )
    stack, norms = Classifier(architecture, [0, 1, 2]), []
    alone = [Classifier(architecture, [seed]) for seed in (0, 1, 2)]
    for trial, scale in enumerate([0.001, 1, 100]):
        for mine, its in zip(stack.parameters(), alone[trial].parameters(), strict=True):
            mine.grad = torch.zeros_like(mine) if mine.grad is None else mine.grad
            its.grad = scale * torch.randn_like(its)
            mine.grad[trial] = its.grad[0]
        norms.append(float(nn.utils.clip_grad_norm_(alone[trial].parameters(), 0.5)))
    training._clip_gradients(stack, 0.5)
    assert norms[0] < 0.5 < norms[1] < norms[2]
    for trial, network in enumerate(alone):
        for mine, its in zip(stack.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(mine.grad[trial], its.grad[0])


def test_trials_alone_and_side_by_side_are_equal_where_a_batch_is_nothing_but_empty_words(
    exact_floats,
):
    few = [[], [0], [1], [0, 1]]
    split = Split(sequences=Sequences.from_lists([[]] * 32 + few * 8), labels=np.arange(64) % 2)
    dataset = Dataset(
        alphabet=("0", "1"), classes=("no", "yes"), splits={"train": split, "validation": split}
    )
    settings = QUICK.replace(batch_size=2)
    for trial, network in enumerate(train(dataset, settings=settings, trials=(0, 1, 2))):
        (alone,) = train(dataset, settings=settings, trials=(trial,))
        for name, value in alone.weights.items():
            torch.testing.assert_close(network.weights[name], value, atol=1e-9, rtol=1e-9)


def test_a_network_carries_what_its_data_set_says(texts):
    (network,) = train(texts)
    for name in ("alphabet", "classes"):
        assert getattr(network, name) == getattr(texts, name)


@pytest.mark.parametrize(
    ("fields", "vector_size", "learned"),
    [
        ({}, 2, False),
        ({"alphabet": TEXT, "learns_vectors": True}, 5, True),
        ({"alphabet": TEXT, "vectors": np.ones((2, 3), np.float32)}, 3, False),
    ],
    ids=["one-hot letters", "learned vectors", "given vectors"],
)
def test_how_symbols_are_read_follows_from_the_data_set(words, fields, vector_size, learned):
    dataset = replace(words, **fields)
    architecture, _ = training.design(dataset, "gru", ModelsSettings(vector_size=5))
    assert (architecture.vector_size, architecture.learned_vectors) == (vector_size, learned)
    (network,) = train(dataset)
    if "vectors" in fields:
        assert np.array_equal(network.weights["vectors"], fields["vectors"])


def test_vectors_that_are_tuned_begin_as_they_are_given_and_move(words):
    vectors = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    dataset = replace(words, alphabet=TEXT, vectors=vectors)
    models = ModelsSettings(hidden_size=4, tune_vectors=True)
    architecture, given = training.design(dataset, "gru", models)
    assert architecture.learned_vectors
    assert np.array_equal(
        Classifier(architecture, [0, 1], vectors=given).vectors[1].detach(), vectors
    )
    (network,) = training.train(dataset, cell="gru", models=models, settings=QUICK, trials=(0,))
    moved = np.abs(network.weights["vectors"][0].numpy() - vectors)
    assert 0 < moved.max() < 1
    letters, _ = training.design(words, "gru", models)
    assert not letters.learned_vectors


def test_evaluation_agrees_with_scikit_learn(words, network):
    split = words.splits["test"]
    probabilities = network.predict(split.sequences)
    scores = training.evaluate(network.network, split)
    predictions = probabilities.argmax(axis=1)
    assert scores["validation_loss"][0] == pytest.approx(
        log_loss(split.labels, probabilities), rel=1e-4
    )
    assert scores["validation_accuracy"][0] == (predictions == split.labels).mean()
    assert scores["validation_balanced_accuracy"][0] == balanced_accuracy_score(
        split.labels, predictions
    )


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_balanced_accuracy_agrees_with_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    labels, predictions = rng.integers(classes, size=200), rng.integers(classes, size=(3, 200))
    shares = training.balanced_accuracy(predictions == labels, labels)
    np.testing.assert_allclose(
        shares, [balanced_accuracy_score(labels, row) for row in predictions]
    )
