"""The operator by which the outputs of a module come from more than its last state.

It is found by NaN: numbers that come from a step are replaced, and all that is made of them is NaN
too, whatever the weights are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice

import torch
from torch import Tensor

from lisor.errors import ModelError
from lisor.networks.external.recurrence import Recurrence, differ
from lisor.networks.external.trace import Number, ancestors


def more(recurrence: Recurrence) -> str:
    """What a message says where the outputs come from more than the last state, with the first
    operator that makes them so."""
    by = ""
    with suppress(ModelError):  # a module may refuse NaN
        by = "".join(f": {name} reads earlier steps" for name in islice(_mixing(recurrence), 1))
    return f"its outputs come from more than the last state{by}"


def _mixing(recurrence: Recurrence) -> Iterator[str]:
    """The operators that put out a number made of the last step and, past the state, of the one
    before, in their order."""
    before, after = recurrence.middle()
    fixed = before | after
    spoiled = {
        number: torch.full_like(tensor, torch.nan) if tensor.is_floating_point() else tensor
        for number, tensor in after.items()
    }
    early = recurrence.record(2, replaced=after | _changed(recurrence, 0, after))
    around = recurrence.record(2, replaced=fixed | _changed(recurrence, 0, fixed))
    late = recurrence.record(2, replaced=spoiled | _changed(recurrence, 1, after))
    if not early.keys() == around.keys() == late.keys():
        return
    within = ancestors(late, after)
    for number, node in late.items():
        # What leads to the last state reads the one before it, and may read nothing else.
        first = around[number] if number in within else early[number]
        if (
            first.value.shape == node.value.shape
            and (first.value.isnan() & node.value.isnan()).any()
        ):
            yield node.name


def _changed(
    recurrence: Recurrence, step: int, replaced: Mapping[Number, Tensor]
) -> dict[Number, Tensor]:
    """The first tensors that the symbols at a step change, with NaN for what they change."""
    nodes = recurrence.record(2, replaced=replaced)
    others = recurrence.record(2, changed=step, replaced=replaced)
    changed = {
        number
        for number, varies in differ(nodes, others).items()
        if varies and nodes[number].value.is_floating_point()
    }
    return {
        number: nodes[number].value.where(nodes[number].value == others[number].value, torch.nan)
        for number in changed
        if not nodes[number].sources & changed
    }
