"""A network that was trained here, as gradients go back through it.

Shapes: B sequences of a batch, T steps, D numbers of a step, W of its vector, C classes, L
positions."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from lisor.networks.batches import Inputs
from lisor.networks.classifier import Classifier


class DifferentiableClassifier:
    """A network of one trial (R = 1); the vector of a step is its word vector, or what the
    network reads in place of one."""

    def __init__(self, network: Classifier) -> None:
        self._network = network
        self._trainable = deepcopy(network).requires_grad_()

    def vectors(self, read: Inputs) -> Float[Tensor, "B T W"]:
        """The word vector of each step."""
        return self._network.by_step(read)[0].transpose(0, 1)

    def scores(self, read: Inputs, vectors: Float[Tensor, "B T W"]) -> Float[Tensor, "B C"]:
        """The logits after the last step, or the numbers."""
        batch, steps = vectors.shape[:2]
        lengths = torch.full((1, batch), steps, device=vectors.device)
        logits: Tensor = self._network.read_out_vectors(vectors.transpose(0, 1)[None], lengths)[0]
        return logits

    def parameter_gradients(
        self, read: Inputs, labels: Shaped[Tensor, "B L *C"]
    ) -> Mapping[str, Float[Tensor, "..."]]:
        """The gradient of the mean loss over all positions, by parameter."""
        batch, steps = read.shape[1:3]
        lengths = torch.full((1, batch), steps, device=read.device)
        outputs = self._trainable(read, lengths)
        parameters = dict(self._trainable.named_parameters())
        gradients = torch.autograd.grad(
            self._trainable.losses(outputs, labels[None]).mean(),
            [*parameters.values()],
            allow_unused=True,
        )
        return {
            name: torch.zeros_like(value[0]) if gradient is None else gradient[0]
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }
