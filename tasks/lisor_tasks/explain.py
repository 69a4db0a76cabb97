"""Tasks that explain networks together with their automata.

Tasks import what they need inside, so that a run from the cache does not load torch and captum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.settings.explain import ExplainSettings
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import NetworkArtifacts, selected_variants
from lisor_tasks.extraction import read_extraction
from lisor_tasks.networks import NetworkRef

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.explain.steps import Steps

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
    from lisor.explain.steps import check_predicts_once
    from lisor.networks.hidden_states import HiddenStates
    from lisor.networks.trained import TrainedModel

    model, data = TrainedModel.read(open_artifact(network.model)), read_dataset(dataset)
    check_predicts_once(model)
    probabilities = [
        HiddenStates(folder=open_artifact(ref)).predictions()["test"].probabilities
        for ref in company
    ]
    test = data.splits["test"]
    explanation = explain(
        model,
        read_extraction(automata, *variant).deterministic,
        data,
        HiddenStates(folder=open_artifact(states)).read(),
        choose_examples(test.sequences, test.labels, probabilities, settings.examples),
        {} if annotations is None else notes.read(Path(annotations.path)),
        seed=settings.seed,
    )
    (folder / EXPLANATION).write_text(explanation.to_json(), encoding="utf-8")
    activations(model, data.splits["validation"]).write(folder / ACTIVATIONS)


@dataclass(frozen=True, kw_only=True)
class ExplainedSequence:
    """The steps of one sequence through a network and its automaton."""

    steps: Steps
    automaton: Automaton
    classes: tuple[str, ...]


def explain_sequence(network: NetworkArtifacts, results: Ref, text: str) -> ExplainedSequence:
    """The steps of a text, or of a word of a language, through a network and its selected
    automaton.

    Raises:
        DataError: the network cannot read it."""
    from lisor.explain.steps import encode, read_steps
    from lisor.networks.trained import TrainedModel

    model = TrainedModel.read(open_artifact(network.model))
    names, codes = encode(model, text)
    variant = selected_variants(results)[network.identity]
    automaton = read_extraction(network.automata, *variant).deterministic
    return ExplainedSequence(
        steps=read_steps(model, automaton, codes, names=names),
        automaton=automaton,
        classes=model.classes,
    )
