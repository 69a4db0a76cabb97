"""The settings of clustering."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lisor.errors import show
from lisor.registry import LISOR_K, METHODS
from lisor.settings.base import LARGEST_SEED, Choice, Form, Settings, different, refused

MAX_K = 2**16


def _check_grid(k: tuple[int, int]) -> tuple[int, int]:
    first, last = k
    if not 2 <= first <= last:
        raise refused(
            f"must be [from, to] with 2 ≤ from ≤ to, got [{show(first)}, {show(last)}]: one "
            f"cluster cannot separate accepted from rejected sequences"
        )
    if last > MAX_K:
        raise refused(f"must be at most {MAX_K:,}, got {show(last)}")
    return k


def halves(first: int, last: int) -> tuple[int, ...]:
    """The largest of a grid, half of it, and so on, the smallest first: for what costs more."""
    ks = []
    while last >= first:
        ks.append(last)
        last //= 2
    return tuple(reversed(ks))


class ClusteringSettings(Settings):
    """How hidden states are grouped into the states of an automaton."""

    SECTION = "clustering"

    methods: Annotated[
        tuple[Annotated[str, Choice(METHODS.keys)], ...], AfterValidator(different)
    ] = Field(
        default=(LISOR_K,), description="the methods, each of which makes clusters of its own"
    )
    k: Annotated[tuple[int, int], AfterValidator(_check_grid), Form("[from, to]")] = Field(
        default=(2, 32),
        description="the smallest and the largest number of clusters; all between are made",
    )
    position_weight: float = Field(
        default=0.1,
        ge=0,
        allow_inf_nan=False,
        description="λ of kmeans-x: how much it counts where in its sequence a state stood",
    )
    decision_weight: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="λ of decision-aware: how much the network's output counts beside the state",
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="of the first centers")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="where; auto is CUDA where there is one that the method can use, else the CPU",
    )

    @property
    def searched(self) -> tuple[int, ...]:
        """The numbers of clusters from which automata are searched for."""
        return halves(*self.k)
