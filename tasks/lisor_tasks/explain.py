"""Tasks that explain networks together with their automata.

Tasks import what they need inside, so that a run from the cache does not load torch and captum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import DataError, one_line, show
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.settings.explain import ExplainSettings
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import NetworkArtifacts, selected_variants
from lisor_tasks.extraction import read_extraction
from lisor_tasks.networks import NetworkRef, read_about, read_network

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.explain.steps import Steps

SHOWN = 200
"""Characters of a message that names classes."""

EXPLANATION, ACTIVATIONS = "explanation.json", "activations.npz"


@cached("explanation", name="explain {execution.label}")
def explain_network(
    folder: Path,
    network: NetworkRef,
    states: Ref,
    dataset: Ref,
    automata: Sequence[Ref],
    variant: tuple[str, str, int],
    company: Sequence[Ref],
    settings: ExplainSettings,
    annotations: Source | None,
) -> None:
    """The explanation of a network and of its automaton of one variant: method, rule, k.

    `company` are the hidden states of all networks that are explained on the dataset, this one
    included: they share their examples. `annotations` are a person's notes on units."""
    from lisor.explain import annotations as notes
    from lisor.explain.activations import activations
    from lisor.explain.examples import choose_examples
    from lisor.explain.explanation import explain
    from lisor.networks.hidden_states import HiddenStates

    model, data = read_network(network), read_dataset(dataset)
    predictions = [
        HiddenStates(folder=open_artifact(ref)).predictions()["test"].probabilities
        for ref in company
    ]
    examples = choose_examples(
        data.splits["test"], predictions, settings.examples, seed=settings.seed
    )
    explanation = explain(
        model,
        read_extraction(automata, *variant).deterministic,
        data,
        HiddenStates(folder=open_artifact(states)).read(),
        examples,
        {} if annotations is None else notes.read(Path(annotations.path)),
        seed=settings.seed,
    )
    (folder / EXPLANATION).write_text(explanation.to_json(), encoding="utf-8")
    units = [unit.number for unit in explanation.units]
    activations(model, data.splits["validation"], units).write(folder / ACTIVATIONS)


@dataclass(frozen=True, kw_only=True)
class Input:
    """A sequence that a network reads: its symbols as they were written, and where it is a row of
    the test split, the label, or the numbers, at each of its positions."""

    names: tuple[str, ...]
    sequence: Sequences
    labels: tuple[int | list[float], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ExplainedSequence:
    """The steps of one sequence through a network and its automaton; `absent` has sentences on what
    does not apply to the network."""

    steps: Steps
    automaton: Automaton
    classes: tuple[str, ...]
    absent: tuple[str, ...]


def read_input(network: NetworkArtifacts, raw: str) -> Input:
    """Raw input, a text, a word or a series of numbers, as the network's alphabet reads it.

    Raises:
        DataError: the alphabet does not read it."""
    from lisor.alphabet import Alphabet
    from lisor.explain.steps import read_raw

    about = read_about(network.model)
    names, sequence = read_raw(Alphabet.from_json(about["alphabet"]), raw)
    return Input(names=tuple(names), sequence=sequence)


def read_row(network: NetworkArtifacts, row: int) -> Input:
    """A sequence of the test split of the network's dataset, counted from 1.

    Raises:
        DataError: there is no such row, or it is empty."""
    import numpy as np

    dataset = read_dataset(network.data)
    test = dataset.splits["test"]
    if not 1 <= row <= len(test):
        raise DataError(
            f"expected a row of the test split of {network.dataset}, from 1 to {len(test):,}, "
            f"got {row}"
        )
    one = test.select(np.array([row - 1]))
    if not len(one.sequences.symbols):
        raise DataError(f"there is nothing to explain: row {row} of the test split is empty")
    return Input(
        names=tuple(dataset.alphabet[number] for number in one.sequences.symbols),
        sequence=one.sequences,
        labels=tuple(one.labels.tolist()),
    )


def explain_sequence(
    network: NetworkArtifacts,
    results: Ref,
    given: Input,
    position: int | None,
    explained: str | None,
) -> ExplainedSequence:
    """The steps of a sequence through a network and its selected automaton; the prediction after
    `position` symbols is explained, by default the last, as far as it is for the class `explained`,
    or the number of that name.

    Raises:
        DataError: the network predicts nothing there, or nothing of that name."""
    from lisor.explain.steps import check_position, differentiable, read_steps
    from lisor.targets.positions import Positions

    model = read_network(NetworkRef(model=network.model, made_by=network.made_by))
    if explained is not None and explained not in model.classes:
        what = "numbers" if TARGETS[model.target].is_numeric else "classes"
        raise DataError(
            f"expected one of the {what} of {network.label}, "
            f"{one_line(', '.join(model.classes), SHOWN)}, got {show(explained)}"
        )
    read = check_position(model.target, len(given.names), position)
    label = None
    if given.labels is not None:
        reads = Positions.of(given.sequence, model.target).read.tolist()
        label = given.labels[reads.index(read)]
    variant = selected_variants(results)[network.identity]
    automaton = read_extraction(network.automata, *variant).deterministic
    through, without = differentiable(model)
    return ExplainedSequence(
        steps=read_steps(
            model,
            through,
            automaton,
            given.sequence,
            read=read,
            names=given.names,
            label=label,
            explained=None if explained is None else model.classes.index(explained),
        ),
        automaton=automaton,
        classes=model.classes,
        absent=(without,) if without else (),
    )
