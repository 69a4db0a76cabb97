"""Tasks that train networks and dump their hidden states.

What a task runs is imported inside it, so that a run answered from the cache need not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lisor.config import ModelsConfig, TrainingConfig
from lisor_tasks.artifacts import Ref
from lisor_tasks.caching import cached, cached_block
from lisor_tasks.data import read_dataset
from lisor_tasks.execution import Execution
from lisor_tasks.networks import NetworkRef, read_network, write_diverged

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


@cached_block("model", name="train {execution.label}", parts="trials")
def train_networks(
    folders: Sequence[Path],
    dataset: Ref,
    cell: str,
    models: ModelsConfig,
    training_config: TrainingConfig,
    trials: tuple[int, ...],
    execution: Execution,
) -> None:
    """A trained network for each trial of a block, trained side by side; of one that diverged, that it did."""
    from lisor.rnn import training

    log = execution.progress_log()

    def on_epoch(epoch: int, in_training: int, accuracy: float) -> None:
        log(f"epoch {epoch}, {in_training} in training, best validation accuracy {accuracy:.3f}")

    try:
        trained = training.train(
            read_dataset(dataset),
            cell=cell,
            models=models,
            config=training_config,
            trials=trials,
            on_epoch=on_epoch,
        )
        networks = dict(zip(trials, trained, strict=True))
    except training.DivergedError as error:
        networks = dict(error.trained)
    for trial, folder in zip(trials, folders, strict=True):
        if trial in networks:
            networks[trial].write(folder)
        else:
            write_diverged(folder)


@cached("hidden-states", name="dump {execution.label}")
def dump_hidden_states(folder: Path, network: NetworkRef, dataset: Ref) -> None:
    """The hidden states of a network on the validation split, and its answers on every split."""
    from lisor.rnn import hidden_states

    hidden_states.dump(read_network(network), read_dataset(dataset), folder)
