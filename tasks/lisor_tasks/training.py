"""Tasks that train networks and dump their hidden states.

Tasks import what they need inside, so that a run from the cache does not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from lisor_tasks.artifacts import Ref
from lisor_tasks.caching import cached_block
from lisor_tasks.data import read_dataset
from lisor_tasks.execution import Execution
from lisor_tasks.networks import write_diverged


@cached_block("model", name="train {execution.label}", parts="trials")
def train_networks(
    folders: Sequence[Path],
    dataset: Ref,
    cell: str,
    models: ModelsSettings,
    training: TrainingSettings,
    trials: tuple[int, ...],
    execution: Execution,
) -> None:
    """A trained network for each trial of a block, or a note that its training diverged."""
    from lisor.networks.training import DivergedError, train

    log = execution.progress_log()

    def on_epoch(epoch: int, in_training: int, score: str, best: float) -> None:
        log(f"epoch {epoch}, {in_training} in training, best {score} {best:.3f}")

    try:
        trained = train(
            read_dataset(dataset),
            cell=cell,
            models=models,
            settings=training,
            trials=trials,
            on_epoch=on_epoch,
        )
        networks = dict(zip(trials, trained, strict=True))
    except DivergedError as error:
        networks = dict(error.trained)
    for trial, folder in zip(trials, folders, strict=True):
        if trial in networks:
            networks[trial].write(folder)
        else:
            write_diverged(folder)
