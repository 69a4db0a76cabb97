"""The attention weights of a network.

Shapes: T steps of a sequence."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from lisor.errors import ModelError
from lisor.explain.attributions import Attributions
from lisor.explain.score import predictions_after, score_of
from lisor.networks.attention import AttentionRecurrent
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences

ATTENTION = "attention"
"""The pool that weighs steps, and the name of its weights among attributions."""


def attention(network: Network, sequences: Sequences) -> Attributions:
    """The weight of each symbol in the weighted sum that the prediction is computed from, as
    attributions.

    Raises:
        ModelError: the network does not pool all its hidden states."""
    weights = network.attention(sequences)
    whole = predictions_after(network, sequences)
    return Attributions(
        method=ATTENTION,
        sequences=sequences,
        values=np.concatenate([np.empty(0, np.float32), *weights]),
        explained=score_of(network.target).explained(whole),
        whole=whole,
    )


def attention_matrix(model: TrainedModel, sequence: Sequences) -> Float[np.ndarray, "T T"]:
    """The attention of each step of a single sequence to each earlier one. A row sums to 1, except
    that of the first step, which is 0.

    Raises:
        ModelError: the network does not attend to its earlier states."""
    cell = model.network.cell
    if not isinstance(cell, AttentionRecurrent):
        raise ModelError(
            f"expected a network with attention in its recurrence, got {model.architecture.cell}"
        )
    read = torch.from_numpy(sequence.padded())[None].to(model.device)
    steps = int(sequence.lengths[0])
    matrix = np.zeros((steps, steps), np.float32)
    with torch.inference_mode():
        for step, state in zip(range(steps), model.network.run(read), strict=False):
            matrix[step, :step] = cell.weights(state)[0, 0].cpu().numpy()
    return matrix
