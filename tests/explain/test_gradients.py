from dataclasses import replace

import numpy as np
import pytest
import torch

from lisor.data import words
from lisor.errors import DataError
from lisor.explain.attributions import Attributions, removal_curve
from lisor.explain.gradients import CLOSE, GRADIENTS, attribute
from lisor.networks import training
from lisor.networks.trained import TrainedModel
from lisor.registry import network_names
from lisor.sequences import Sequences
from lisor.settings.language import LanguageSettings
from lisor.settings.models import PAPER_CELLS, ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.conftest import random_network
from tests.explain.conftest import values_of

SHARES = np.linspace(0, 1, 6)


def drawn_words(count: int = 12, symbols: int = 3) -> Sequences:
    rng = np.random.default_rng(0)
    return Sequences.from_lists(
        [rng.integers(0, symbols, length) for length in rng.integers(0, 9, count)]
    )


def attributed(model: TrainedModel, sequences: Sequences, method: str) -> Attributions:
    return attribute(model, model.differentiable(), sequences, method)


def margin(model: TrainedModel, vectors: torch.Tensor, answer: int) -> torch.Tensor:
    """The network's own logit of a class less the mean of the others, for one sequence of word
    vectors."""
    lengths = torch.tensor([[len(vectors)]])
    logits = model.network.read_out_vectors(vectors[None, :, None], lengths)[0, 0]
    return logits[answer] - (logits.sum() - logits[answer]) / (len(logits) - 1)


def vectors_of(model: TrainedModel, word: np.ndarray) -> torch.Tensor:
    return model.network.embed(torch.from_numpy(word.astype(np.int64))[None])[0].clone()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("cell", tuple(network_names()))
def test_gradients_are_those_of_the_margin_word_by_word(cell: str, classes: int) -> None:
    model, sequences = random_network(cell, symbols=3, classes=classes), drawn_words()
    found = {method: attributed(model, sequences, method) for method in GRADIENTS}
    for row, word in enumerate(sequences):
        if not len(word):
            continue
        vectors = vectors_of(model, word).requires_grad_()
        answer = int(found["saliency"].explained[row])
        (gradient,) = torch.autograd.grad(margin(model, vectors, answer), vectors)
        np.testing.assert_allclose(
            values_of(found["saliency"], row), gradient.abs().sum(dim=1), atol=1e-5
        )
        product = (gradient * vectors).sum(dim=1).detach()
        np.testing.assert_allclose(values_of(found["input-x-gradient"], row), product, atol=1e-5)


@pytest.mark.parametrize("cell", tuple(network_names()))
def test_integrated_gradients_add_up_to_the_margin(cell: str) -> None:
    model, sequences = random_network(cell, symbols=3, classes=3), drawn_words()
    found = attributed(model, sequences, "integrated-gradients")
    assert found.completeness_errors is not None
    assert found.completeness_errors.max() <= CLOSE
    for row, word in enumerate(sequences):
        vectors, answer = vectors_of(model, word), int(found.explained[row])
        whole = float(
            margin(model, vectors, answer) - margin(model, torch.zeros_like(vectors), answer)
        )
        assert values_of(found, row).sum() == pytest.approx(
            whole, abs=2 * CLOSE * abs(whole) + 1e-5
        )


def test_a_word_is_explained_alike_alone_and_beside_longer_ones(network: TrainedModel) -> None:
    sequences = drawn_words(symbols=2)
    for method in GRADIENTS:
        together = attributed(network, sequences, method)
        for row, word in enumerate(sequences):
            alone = attributed(network, Sequences.from_lists([word]), method)
            np.testing.assert_allclose(
                values_of(together, row),
                alone.values,
                atol=2e-2 * max(1, np.abs(alone.values).max(initial=0)),
            )


def test_the_symbols_that_decide_a_word_are_the_ones_pointed_at(network: TrainedModel) -> None:
    """Words of 000 that have it once, where leaving out one of its symbols leaves none."""
    rng, found = np.random.default_rng(0), []
    while len(found) < 20:
        word = "".join(rng.choice(["0", "1"], rng.integers(6, 12), p=[0.4, 0.6]))
        if word.count("000") == 1 and "0000" not in word:
            found.append(word)
    sequences = Sequences.from_lists([[int(sign) for sign in word] for word in found])
    explained = attributed(network, sequences, "integrated-gradients")
    hits = 0
    for row, word in enumerate(found):
        place = word.index("000")
        top = set(np.argsort(-values_of(explained, row))[:3].tolist())
        hits += len(top & {place, place + 1, place + 2})
    assert hits >= 0.8 * 60


def test_each_symbol_of_0110_speaks_for_it() -> None:
    """Every one of them decides: changed, the word is no longer accepted. Asked of 20 networks,
    five of each cell."""
    data = words.from_settings(
        LanguageSettings(language="0110", train=160, validation=16, test=16, balanced=False)
    )
    config, found = TrainingSettings(learning_rate=0.05, restarts=0), []
    for cell in PAPER_CELLS:
        for model in training.train(
            data, cell=cell, models=ModelsSettings(), settings=config, trials=range(5)
        ):
            explained = attributed(
                model, Sequences.from_lists([[0, 1, 1, 0]]), "integrated-gradients"
            )
            assert explained.explained.tolist() == [1]
            found.append(explained.values)
    assert len(found) == 20
    assert (np.array(found) > 0).mean() >= 0.8
    assert (np.mean(found, axis=0) > 0.5).all()


def test_decisive_symbols_change_the_answer_sooner_than_random_ones(network: TrainedModel) -> None:
    words = Sequences.from_lists(
        [[1, 1, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0, 1], [1, 0, 1, 0, 0, 0, 1, 1, 1]]
    )
    found = attributed(network, words, "integrated-gradients")
    curve = removal_curve(network, found, SHARES, kept=False).mean(axis=1)
    rng = np.random.default_rng(0)
    draws = [
        removal_curve(
            network, replace(found, values=rng.random(len(found.values))), SHARES, kept=False
        ).mean(axis=1)
        for _ in range(20)
    ]
    random = np.mean(draws, axis=0)
    assert (
        curve[0]
        == pytest.approx(random[0])
        == pytest.approx(network.predict(words).max(axis=1).mean())
    )
    assert curve[-1] == pytest.approx(random[-1])
    assert curve.mean() < random.mean()
    kept = removal_curve(network, found, SHARES, kept=True).mean(axis=1)
    assert (kept[0], kept[-1]) == (pytest.approx(curve[-1]), pytest.approx(curve[0]))


def test_an_unknown_method_is_refused(network: TrainedModel) -> None:
    with pytest.raises(DataError, match="got 'guess'"):
        attributed(network, drawn_words(), "guess")
