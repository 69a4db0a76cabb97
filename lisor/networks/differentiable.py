"""A network that was trained here, as gradients go back through it.

Shapes: B sequences of a batch, T steps, D numbers of a step, W of its vector, C classes, L
positions."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from lisor.networks.batches import Inputs
from lisor.networks.classifier import Classifier


class DifferentiableClassifier:
    """A classifier of one trial (R = 1); the vector of a step is its word vector, or what the
    network reads in place of one."""

    def __init__(self, network: Classifier) -> None:
        self._network = network
        self._trainable = deepcopy(network).requires_grad_()

    def vectors(self, read: Inputs) -> Float[Tensor, "B T W"]:
        """The word vector of each step."""
        return self._network.by_step(read)[0].transpose(0, 1)

    def scores(self, read: Inputs, vectors: Float[Tensor, "B T W"]) -> Float[Tensor, "B C"]:
        """The logits after the last step."""
        batch, steps = vectors.shape[:2]
        lengths = torch.full((1, batch), steps, device=vectors.device)
        logits: Tensor = self._network.read_out_vectors(vectors.transpose(0, 1)[None], lengths)[0]
        return logits

    def parameter_gradients(
        self, read: Inputs, labels: Int[Tensor, "B L"]
    ) -> Mapping[str, Float[Tensor, "..."]]:
        """The gradient of the mean cross-entropy over all positions, by parameter."""
        batch, steps = read.shape[1:3]
        lengths = torch.full((1, batch), steps, device=read.device)
        logits = self._trainable(read, lengths)[0].flatten(0, 1)
        parameters = dict(self._trainable.named_parameters())
        gradients = torch.autograd.grad(
            cross_entropy(logits, labels.flatten()), [*parameters.values()], allow_unused=True
        )
        return {
            name: torch.zeros_like(value[0]) if gradient is None else gradient[0]
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }
