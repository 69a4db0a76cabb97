"""Write docs/mips.md: networks that learn the finite-state tasks of MIPS, and how many of their
automata are exact.

make mips"""

from __future__ import annotations

import os
import platform
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

import lisor
from benchmarks.mips_tasks import Task, tasks
from docs.report_of import ROOT
from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset, Split
from lisor.errors import DataWarning
from lisor.networks import training
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from lisor.threads import one_torch_thread

SPLITS = {"train": (10_000, 20), "validation": (500, 30), "selection": (500, 30), "test": (500, 40)}
"""How many words of how many symbols: the labels of a word are those of all its prefixes too."""

TRIED = ((32, 0.01), (64, 0.01))
"""Hidden units and learning rates among which the selection split chooses."""

MAX_EPOCHS = 30
NETWORKS = 5

Setting = tuple[int, float]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One network and its automaton: whether the network is right on all test words, the seconds
    of its extraction by the clock and of all processors, the states that came out, and the shortest
    word on which the automaton is wrong, None where it is exact, with who is at fault."""

    right: bool
    seconds: float
    processor_seconds: float
    states: int
    word: tuple[str, ...] | None
    fault: str


def main() -> None:
    """Choose the settings, train and read the networks, and write the page."""
    warnings.simplefilter("ignore", DataWarning)  # of networks that are wrong, which the page says
    datasets = {task: dataset_of(task.machine()) for task in tasks()}
    right = {tried: _count_right(datasets, tried) for tried in TRIED}
    chosen = max(right, key=right.__getitem__)
    trained = {task: _train(dataset, chosen) for task, dataset in datasets.items()}
    first, *_ = trained
    lisor.extract(trained[first][0], datasets[first])  # loads and compiles what is timed below
    readings = {
        task: [_read(network, task, datasets[task]) for network in networks]
        for task, networks in trained.items()
    }
    page = [*_page(readings), *_failures(readings), *_tries(right, chosen)]
    (ROOT / "docs/mips.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def dataset_of(machine: Automaton) -> Dataset:
    """Random words, every symbol as likely as any other, with the machine's output after each
    symbol."""
    splits = {}
    for name, (count, length) in SPLITS.items():
        symbols = stream(0, "mips", name).integers(len(machine.alphabet), size=count * length)
        words = Sequences(symbols=symbols, offsets=length * np.arange(count + 1))
        splits[name] = Split(sequences=words, labels=machine.classify(words), target="step")
    return Dataset(alphabet=machine.alphabet, classes=machine.classes, splits=splits)


def _train(
    dataset: Dataset, setting: Setting, trials: Sequence[int] = range(NETWORKS)
) -> list[TrainedModel]:
    """A GRU for each trial."""
    units, learning_rate = setting
    models = ModelsSettings(cells=("gru",), hidden_size=units)
    settings = TrainingSettings(max_epochs=MAX_EPOCHS, learning_rate=learning_rate)
    with one_torch_thread():
        return training.train(dataset, cell="gru", models=models, settings=settings, trials=trials)


def _is_right(network: TrainedModel, split: Split) -> bool:
    """Whether it predicts every label."""
    return bool((network.predict(split.sequences).argmax(axis=1) == split.labels).all())


def _count_right(datasets: dict[Task, Dataset], setting: Setting) -> int:
    """For how many tasks a network of these settings is right on all selection words."""
    networks = {task: _train(dataset, setting, [NETWORKS])[0] for task, dataset in datasets.items()}
    return sum(
        _is_right(network, datasets[task].splits["selection"]) for task, network in networks.items()
    )


def _read(network: TrainedModel, task: Task, dataset: Dataset) -> Reading:
    started, worked = time.perf_counter(), time.process_time()
    automaton = lisor.extract(network, dataset)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - worked
    machine = task.machine()
    word = machine.distinguishing_word(automaton)
    return Reading(
        right=_is_right(network, dataset.splits["test"]),
        seconds=seconds,
        processor_seconds=processor_seconds,
        states=automaton.n_states,
        word=word,
        fault="" if word is None else _fault(network, machine, word),
    )


def _fault(network: TrainedModel, machine: Automaton, word: Sequence[str]) -> str:
    """Who is wrong after the last symbol of a word on which the automaton is."""
    words = machine.alphabet.encode([word])
    right = network.predict(words).argmax(axis=1)[-1] == machine.classify(words)[-1]
    return "extraction" if right else "network"


def _page(readings: dict[Task, list[Reading]]) -> Iterator[str]:
    count, length = SPLITS["train"]
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "torch"))
    yield "# The finite-state tasks of MIPS"
    yield ""
    yield (
        "Written by `make mips`. The tasks of Michaud et al. (2024, [Opening the AI black "
        "box](https://arxiv.org/abs/2402.05110)) that are\n"
        "finite state machines, each written down in benchmarks/mips_tasks.py as a state, its "
        "update and its output. GRUs learn the output\n"
        f"after each symbol from {count:,} random words of {length} symbols, {NETWORKS} for each "
        f"task, from other weights and in another order."
    )
    yield ""
    yield (
        f"- *Right*: the network names all outputs of {SPLITS['test'][0]:,} random words of "
        f"{SPLITS['test'][1]} symbols. Nothing is chosen by these words.\n"
        "- *Exact*: the automaton that `lisor.extract` reads off the network is the minimal "
        "machine of the task: the outputs of the two are\n"
        "  the same after every word there is, which the search for a distinguishing word proves.\n"
        "- *Seconds* of `lisor.extract` for a network that is right: by the clock, and of all "
        "processors, which other programs on the same\n"
        f"  computer delay less. {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, {versions}."
    )
    yield ""
    yield (
        "| task | symbols | states | right | of these exact | of the others exact | states found | "
        "seconds: median | most | of processors: median | most |"
    )
    yield "| --- " * 11 + "|"
    for task, own in readings.items():
        machine = task.machine()
        about = f"{task.name} | {len(machine.alphabet)} | {machine.n_states}"
        states = ", ".join(map(str, sorted({one.states for one in own})))
        yield f"| {about} | {_counts(own)} | {states} | {_seconds(own)} |"
    together = [one for own in readings.values() for one in own]
    yield f"| all {len(readings)} | | | {_counts(together)} | | {_seconds(together)} |"


def _counts(readings: Sequence[Reading]) -> str:
    right = [one for one in readings if one.right]
    others = [one for one in readings if not one.right]
    return " | ".join(
        [
            f"{len(right)} of {len(readings)}",
            *(
                f"{sum(one.word is None for one in some)} of {len(some)}"
                for some in (right, others)
            ),
        ]
    )


def _seconds(readings: Sequence[Reading]) -> str:
    right = [one for one in readings if one.right]
    if not right:
        return "– | – | – | –"
    kinds = ([one.seconds for one in right], [one.processor_seconds for one in right])
    return " | ".join(f"{statistics.median(kind):.2f} | {max(kind):.2f}" for kind in kinds)


def _failures(readings: dict[Task, list[Reading]]) -> Iterator[str]:
    rows = [
        f"| {task.name} | {number} | {'yes' if one.right else 'no'} | {one.states} | "
        f"`{' '.join(one.word)}` | {one.fault} |"
        for task, own in readings.items()
        for number, one in enumerate(own)
        if one.word is not None
    ]
    yield ""
    yield "## Automata that are not exact"
    yield ""
    if not rows:
        yield "None."
        return
    yield (
        "Each with the shortest word after which its output is wrong. If the network is wrong "
        "there too, the network is at fault, else\n"
        "the extraction."
    )
    yield ""
    yield "| task | network | right | states | word | at fault |"
    yield "| --- " * 6 + "|"
    yield from rows


def _tries(right: dict[Setting, int], chosen: Setting) -> Iterator[str]:
    yield ""
    yield "## Settings tried"
    yield ""
    yield (
        "One network for each task, none of those above. What decides is on how many tasks it is "
        f"right on {SPLITS['selection'][0]:,} words of\n"
        f"{SPLITS['selection'][1]} symbols. Training ends once a network makes no mistake on "
        f"{SPLITS['validation'][0]:,} others at a low loss, or after {MAX_EPOCHS} epochs."
    )
    yield ""
    yield "| hidden units | learning rate | tasks right | chosen |"
    yield "| --- | --- | --- | --- |"
    for setting, count in right.items():
        units, learning_rate = setting
        mark = "yes" if setting == chosen else ""
        yield f"| {units} | {learning_rate} | {count} of {len(list(tasks()))} | {mark} |"


if __name__ == "__main__":
    main()
