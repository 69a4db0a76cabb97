"""Write docs/real_languages.md: networks that learn regular languages over numbers, and the
intervals that are read off them.

make real-languages"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.real_languages import CUT, LANGUAGES, cuts_of, is_exact, real_language
from docs.report_of import ROOT
from lisor.automata.languages import find
from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset
from lisor.evaluation.choice import TOLERANCE, choose
from lisor.evaluation.evaluation import evaluate
from lisor.extraction.extract import extract
from lisor.extraction.view import View
from lisor.networks import training
from lisor.networks.hidden_states import collect, predictions_on
from lisor.networks.trained import TrainedModel
from lisor.report.tables import Interval
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

TRIALS = (0, 1, 2)

MODELS = ModelsSettings(hidden_size=16)

TRAINING = TrainingSettings(max_epochs=60, patience=10, batch_size=128, learning_rate=0.01)

MAX_CLUSTERS = 16

NEAR = 0.03
"""How near to the true cut one of an automaton's should be."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One network over numbers: its accuracy, and what is read off it by intervals and by the
    symbols of the dataset."""

    accuracy: float
    fidelity: float
    by_symbols: float
    nearest_cut: float
    states: int
    exact: bool
    seconds: float


def main() -> None:
    """Train and read the networks, then write the page."""
    page = ROOT / "docs/real_languages.md"
    page.write_text("\n".join(_languages()) + "\n", encoding="utf-8")


def _languages() -> Iterator[str]:
    yield "# Regular languages over numbers"
    yield ""
    yield "Written by `make real-languages`."
    yield ""
    yield (
        f"The languages of Tomita (1982) over numbers from 0 to 1, of which those up to {CUT} are "
        "the letter 0: GRUs of 16"
    )
    yield (
        f"units, {len(TRIALS)} seeds, k-means of 2 to {MAX_CLUSTERS} clusters, the rule "
        "`intervals`; k is chosen on the selection split. By symbols:"
    )
    yield (
        "the rule `dynamics` with the 8 symbols that k-means makes of the numbers, chosen likewise."
    )
    yield "Exact: the graph is that of the language's minimal automaton."
    yield ""
    yield (
        "| language | network | fidelity | by symbols | cut nearest to 0.3 | states (true) | "
        "exact | seconds |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    whole: list[Reading] = []
    for name in LANGUAGES:
        readings = _read(name)
        whole += readings
        true = find(name).automaton.minimized(empty=False).n_states
        columns = (
            str(Interval.of([reading.accuracy for reading in readings])),
            str(Interval.of([reading.fidelity for reading in readings])),
            str(Interval.of([reading.by_symbols for reading in readings])),
            ", ".join(f"{reading.nearest_cut:.3f}" for reading in readings),
            f"{', '.join(str(reading.states) for reading in readings)} ({true})",
            f"{sum(reading.exact for reading in readings)} of {len(readings)}",
            f"{np.mean([reading.seconds for reading in readings]):.1f}",
        )
        yield f"| {name} | {' | '.join(columns)} |"
    near = sum(abs(reading.nearest_cut - CUT) <= NEAR for reading in whole)
    yield ""
    yield (
        f"Of {len(whole)} networks {sum(reading.exact for reading in whole)} give the exact graph "
        f"and {near} a cut within {NEAR} of {CUT}; the mean fidelity is "
        f"{np.mean([reading.fidelity for reading in whole]):.4f}, that by symbols "
        f"{np.mean([reading.by_symbols for reading in whole]):.4f}."
    )


def _read(name: str) -> list[Reading]:
    dataset = real_language(name)
    networks = training.train(dataset, cell="gru", models=MODELS, settings=TRAINING, trials=TRIALS)
    return [_reading(name, dataset, network) for network in networks]


def _reading(name: str, dataset: Dataset, network: TrainedModel) -> Reading:
    started = time.perf_counter()
    points = collect(network, dataset.splits["validation"].sequences)
    clusterings = cluster(points, range(2, MAX_CLUSTERS + 1), method="kmeans", seed=0)
    views = [View(network=network, points=points, clustering=one) for one in clusterings]
    made = [one for view in views for one in extract(view, ["intervals", "dynamics"])]
    splits = {split: dataset.splits[split] for split in ("selection", "test")}
    known = {split: predictions_on(network, part) for split, part in splits.items()}
    rows = pd.DataFrame(map(vars, evaluate(made, splits, known)))
    chosen = choose(rows, tolerance=TOLERANCE)
    by_rule = chosen[chosen["chosen"]].set_index("rule")
    row = by_rule.loc["intervals"]
    automaton = next(
        one.deterministic for one in made if (one.rule, one.k) == ("intervals", row["k"])
    )
    cuts = cuts_of(automaton)
    return Reading(
        accuracy=float(row["rnn_accuracy"]),
        fidelity=float(row["fidelity"]),
        by_symbols=float(by_rule.loc["dynamics", "fidelity"]),
        nearest_cut=float(cuts[np.abs(cuts - CUT).argmin()]) if len(cuts) else np.nan,
        states=automaton.minimized(empty=False).n_states,
        exact=is_exact(automaton, name),
        seconds=time.perf_counter() - started,
    )


if __name__ == "__main__":
    main()
