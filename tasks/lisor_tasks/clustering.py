"""Tasks that cluster hidden states.

Tasks import what they need inside, so that a run from the cache does not load torch and
scikit-learn."""

from __future__ import annotations

from pathlib import Path

from lisor.registry import METHODS
from lisor_tasks.artifacts import Ref, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.execution import Execution
from lisor_tasks.networks import NetworkRef, read_network


@cached("clusterings", name="cluster {execution.label}")
def cluster_hidden_states(
    folder: Path,
    states: Ref,
    network: NetworkRef,
    method: str,
    ks: tuple[int, ...],
    weight: float | None,
    seed: int,
    device: str,
    execution: Execution,
) -> None:
    """A clustering of a network's hidden states for each k of a block.

    `weight` is None if the method has none."""
    from lisor.clustering import clustering
    from lisor.devices import pick_cuda
    from lisor.networks.hidden_states import HiddenStates

    clusterings = clustering.cluster(
        HiddenStates(folder=open_artifact(states)),
        ks,
        method=method,
        weight=1.0 if weight is None else weight,
        network=read_network(network) if METHODS[method].needs_network else None,
        seed=seed,
        threads=execution.threads,
        device=pick_cuda(device),
    )
    clustering.write(clusterings, folder)
