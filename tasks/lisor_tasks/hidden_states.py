"""Tasks that dump hidden states."""

from __future__ import annotations

from pathlib import Path

from lisor_tasks.artifacts import Ref
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import NetworkRef, read_network


@cached("hidden-states", name="dump {execution.label}")
def dump_hidden_states(folder: Path, network: NetworkRef, dataset: Ref) -> None:
    """A network's hidden states on the validation split, and its predictions on every split."""
    from lisor.networks import hidden_states

    hidden_states.dump(read_network(network), read_dataset(dataset), folder)
