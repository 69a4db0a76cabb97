"""Recurrent cells whose sums come from the input alone: within a layer no unit sees what another
one remembers.

One layer of such units can do little. In minGRU's, how much a symbol counts depends on which
symbols came after it and how often, not on their order; each unit of SRU's has only itself to look
back at. Both papers stack layers: what the second reads tells of the past. So do these cells. The H
hidden units stand in two layers, the first half of them in the lower one, and h, which is read out,
is that of both. Steps follow one another; the papers' parallel forms are not used.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units, L units of the layer."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lisor.errors import ModelError


def split_layers(
    state: Float[Tensor, "R B H"], size: int
) -> tuple[Float[Tensor, "R B L"], Float[Tensor, "R B L"]]:
    """What of a state is the lower layer's, and what the upper one's."""
    return state[..., :size], state[..., size:]


def layer_sizes(hidden_size: int) -> tuple[int, int]:
    """How many units each layer has.

    Raises:
        ModelError: there are too few for two layers."""
    if hidden_size < 2:
        raise ModelError(
            f"expected at least 2 hidden units, one for each layer of sru or mingru, got "
            f"{hidden_size}"
        )
    return hidden_size // 2, hidden_size - hidden_size // 2
