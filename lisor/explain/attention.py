"""The attention weights of a network.

Shapes: T steps of a sequence."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from lisor.errors import ModelError
from lisor.explain.gradients import Attributions
from lisor.networks.attention import AttentionRecurrent
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences

ATTENTION = "attention"
"""The name of attention weights among attributions."""


def attention(model: TrainedModel, sequences: Sequences) -> Attributions:
    """The weight of each symbol in the weighted sum that the prediction is computed from, as
    attributions.

    Raises:
        ModelError: the network does not pool all its hidden states."""
    return Attributions(
        method=ATTENTION,
        sequences=sequences,
        values=np.concatenate([np.empty(0, np.float32), *model.attention(sequences)]),
        explained=model.predict(sequences).argmax(axis=1).astype(np.int32),
    )


def attention_matrix(
    model: TrainedModel, symbols: Int[np.ndarray, " T"]
) -> Float[np.ndarray, "T T"]:
    """The attention of each step of a sequence to each earlier one. A row sums to 1, except that of
    the first step, which is 0.

    Raises:
        ModelError: the network does not attend to its earlier states."""
    cell = model.network.cell
    if not isinstance(cell, AttentionRecurrent):
        raise ModelError(
            f"expected a network with attention in its recurrence, got {model.architecture.cell}"
        )
    read = torch.tensor(np.asarray(symbols), dtype=torch.long, device=model.device)[None, None]
    matrix = np.zeros((len(symbols), len(symbols)), np.float32)
    with torch.inference_mode():
        for step, state in zip(range(len(symbols)), model.network.run(read), strict=False):
            matrix[step, :step] = cell.weights(state)[0, 0].cpu().numpy()
    return matrix
