from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from lisor.data.dataset import Dataset, Split
from lisor.explain.parameters import QUANTILES, parameter_gradients
from lisor.networks.external.module import ModuleNetwork
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.explain.conftest import with_target
from tests.plain import Acceptor


def small_split(target: str = "class") -> Split:
    words = Sequences.from_lists([[0, 1, 2], [2], [], [1, 1]])
    counts = {"class": 4, "step": 6, "next": 10, "number": 6}
    labels = np.arange(counts[target]) % 3
    if target == "number":
        labels = np.stack([labels, labels + 1, labels, labels], axis=1)
    return Split(sequences=words, labels=labels, target=target)


@pytest.mark.parametrize("target", ["class", "step", "next", "number"])
def test_gradients_are_those_of_the_loss_sequence_by_sequence(target: str) -> None:
    network, split = with_target(random_network(symbols=3, classes=4), target), small_split(target)
    found = parameter_gradients(network, network.differentiable(), split, seed=0)
    sizes = []
    for row in (0, 1, 3):
        one = split.select(np.array([row]))
        weights = network.network
        weights.requires_grad_()
        lengths = torch.from_numpy(one.sequences.lengths)[None]
        logits = weights(torch.from_numpy(one.sequences.padded())[None], lengths)[0, 0]
        known = torch.tensor(one.labels)
        if target == "number":
            loss = ((logits - known) / weights.deviations).square().mean()
        else:
            loss = cross_entropy(logits, known.long())
        (gradient,) = torch.autograd.grad(loss, [weights.output_weight])
        sizes.append(float(gradient.square().mean().sqrt()))
        weights.requires_grad_(False)
    (output,) = [it for it in found if it.name == "output_weight"]
    assert output.quantiles == pytest.approx(np.quantile(sizes, QUANTILES), rel=1e-4)
    assert output.count == network.network.output_weight.numel()
    assert 0 <= output.unmoved < 1


def test_a_module_of_others_has_the_gradients_of_its_own_parameters_and_stays_as_it_is() -> None:
    torch.manual_seed(0)
    module = Acceptor().eval()
    module.embedding.weight.requires_grad_(False)
    network = ModuleNetwork(module, ("0", "1"))
    words = Sequences.from_lists([[0, 1, 0], [0]])
    split = Split(sequences=words, labels=np.array([0, 1]))
    found = parameter_gradients(network, network.differentiable(), split, seed=0)
    assert [it.name for it in found] == [name for name, _ in module.named_parameters()]
    sizes = []
    for word, label in (([0, 1, 0], 0.0), ([0], 1.0)):
        logit = module(torch.tensor([word, word]))[:1]
        loss = binary_cross_entropy_with_logits(logit, torch.tensor([label]))
        (gradient,) = torch.autograd.grad(loss, [module.linear.weight])
        sizes.append(float(gradient.square().mean().sqrt()))
    (linear,) = [it for it in found if it.name == "linear.weight"]
    assert linear.quantiles == pytest.approx(np.quantile(sizes, QUANTILES), rel=1e-3)
    assert not module.embedding.weight.requires_grad
    assert module.embedding.weight.grad is None


def test_words_that_do_not_occur_leave_their_vectors_unmoved(
    network: TrainedModel, words: Dataset
) -> None:
    learned = TrainedModel(
        architecture=replace(network.architecture, learned_vectors=True),
        weights={**network.weights, "vectors": torch.eye(2)[None]},
        alphabet=network.alphabet,
        classes=network.classes,
        seed=0,
        history={},
        best_epoch=0,
    )
    ones = Split(sequences=Sequences.from_lists([[1, 1], [1]]), labels=np.array([0, 0]))
    found = parameter_gradients(learned, learned.differentiable(), ones, seed=0)
    (vectors,) = [it for it in found if it.name == "vectors"]
    assert vectors.unmoved == 0.5
