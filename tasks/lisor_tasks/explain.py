"""Tasks that explain networks beside their automata.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and captum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.config import ExplainConfig
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import Network, selected_ways
from lisor_tasks.fsa import read_extraction
from lisor_tasks.networks import NetworkRef

if TYPE_CHECKING:
    from lisor.explain.steps import Steps
    from lisor.fsa.automaton import Automaton

EXPLANATION, ACTIVATIONS = "explanation.json", "activations.npz"


@cached("explanation", name="explain {execution.label}")
def explain_network(
    folder: Path,
    network: NetworkRef,
    states: Ref,
    dataset: Ref,
    automata: Sequence[Ref],
    way: tuple[str, str, int],
    company: Sequence[Ref],
    config: ExplainConfig,
    annotations: Source | None,
) -> None:
    """A network explained beside the automaton that was made in one way: method, rule, k.

    `company` are the hidden states of all networks that are explained on the data set, itself among them: examples are
    chosen for all together. `annotations` are a person's notes on units."""
    from lisor.explain import annotations as notes
    from lisor.explain.activations import activations
    from lisor.explain.examples import choose_examples
    from lisor.explain.explanation import explain
    from lisor.rnn.classifier import TrainedModel
    from lisor.rnn.hidden_states import HiddenStates

    model, data = TrainedModel.read(open_artifact(network.model)), read_dataset(dataset)
    answers = [HiddenStates(folder=open_artifact(ref)).answers()["test"].probabilities for ref in company]
    test = data.splits["test"]
    explanation = explain(
        model,
        read_extraction(automata, *way).automaton,
        data,
        HiddenStates(folder=open_artifact(states)).read(),
        choose_examples(test.sequences, test.labels, answers, config.examples),
        {} if annotations is None else notes.read(Path(annotations.path)),
        seed=config.seed,
    )
    (folder / EXPLANATION).write_text(explanation.to_json(), encoding="utf-8")
    activations(model, data.splits["validation"]).write(folder / ACTIVATIONS)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """One sequence on its way through a network and the automaton that stands for it."""

    steps: Steps
    automaton: Automaton
    classes: tuple[str, ...]


def walk_through(network: Network, results: Ref, text: str) -> Walked:
    """The steps of a text, or of a word of a language, through a network and its selected automaton.

    Raises:
        DataError: the network cannot read it."""
    from lisor.explain.steps import encode, walk
    from lisor.rnn.classifier import TrainedModel

    model = TrainedModel.read(open_artifact(network.model))
    names, codes = encode(model, text)
    way = selected_ways(results)[network.identity]
    automaton = read_extraction(network.every_automaton, *way).automaton
    return Walked(steps=walk(model, automaton, codes, names=names), automaton=automaton, classes=model.classes)
