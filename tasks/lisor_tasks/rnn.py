"""Tasks that train networks and dump their hidden states.

What a task runs is imported inside it, so that a run answered from the cache need not load torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prefect.logging import get_run_logger

from lisor.config import ModelsConfig, TrainingConfig
from lisor_tasks.artifacts import Ref
from lisor_tasks.caching import cached, cached_block
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_network, write_diverged

TELL_SECONDS = 10.0

PROGRESS = "lisor_progress"
"""Marks log records that a person at the terminal wants to see."""

FIRST_BLOCKS = (1, 3, 5, 10)
"""Where the first blocks of trials end; the later ones are ten trials each."""

FIRST_BLOCKS_OF_WORDS = (1, 5, 10)
"""The same for a language: of its small networks four side by side take less than two and two."""


def trial_blocks(trials: int, *, of_words: bool) -> list[tuple[int, ...]]:
    """The trials cut into blocks whose edges never move, so that no trial depends on how many are asked for.

    Trials of a block are trained side by side and round off together, so a block is always trained whole. The edges fit
    the usual numbers (1, 3, 5, 10, 20, … and `of_words` of a language 1, 5, 10, …); between them up to the rest of a
    block is trained beyond what was asked."""
    first, blocks, start = FIRST_BLOCKS_OF_WORDS if of_words else FIRST_BLOCKS, [], 0
    while start < trials:
        end = next((edge for edge in first if edge > start), start + 10)
        blocks.append(tuple(range(start, end)))
        start = end
    return blocks


@cached_block(
    "model",
    "lisor.rnn.training",
    name="train {label}",
    parts="trials",
    without=["label", "models.cells", "training_config.trials"],
)
def train_networks(
    folders: Sequence[Path],
    dataset: Ref,
    cell: str,
    models: ModelsConfig,
    training_config: TrainingConfig,
    trials: tuple[int, ...],
    threads: int,
    label: str,
) -> None:
    """A trained network for each trial of a block, trained side by side; of one that diverged, that it did."""
    from lisor.rnn import training

    try:
        trained = training.train(
            read_dataset(dataset),
            cell=cell,
            models=models,
            config=training_config,
            trials=trials,
            on_epoch=_tell(label),
        )
        networks = dict(zip(trials, trained, strict=True))
    except training.DivergedError as error:
        networks = dict(error.trained)
    for trial, folder in zip(trials, folders, strict=True):
        if trial in networks:
            networks[trial].write(folder)
        else:
            write_diverged(folder)


@cached("hidden-states", "lisor.rnn.hidden_states", name="dump {label}", without=["label"])
def dump_hidden_states(folder: Path, model: Ref, dataset: Ref, threads: int, label: str) -> None:
    """The hidden states of a network on the validation split, and its answers on every split."""
    from lisor.rnn import hidden_states

    hidden_states.dump(read_network(model), read_dataset(dataset), folder)


def _tell(label: str) -> Callable[[int, int, float], None]:
    """Tell the run's log every few seconds how far training is."""
    logger, told = get_run_logger(), time.monotonic()

    def tell(epoch: int, trials: int, accuracy: float) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            message = "%s: epoch %d, %d in training, best validation accuracy %.3f"
            logger.info(message, label, epoch, trials, accuracy, extra={PROGRESS: True})

    return tell
