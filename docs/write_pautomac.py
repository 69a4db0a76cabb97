"""Write docs/pautomac.md: language models and their automata on problems of PAutomaC.

make pautomac PAUTOMAC=path/to/strings.parquet MODELS=path/to/models.json

The first file has the columns problem, split, symbols, and of test strings probability; the second
the true machine of each problem: initial, final, symbol, transition."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from docs.report_of import ROOT
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import (
    Distributions,
    pautomac_score,
    sequence_log_probabilities,
)
from lisor.automata.formats.pautomac import read_pautomac
from lisor.automata.pdfa import refitted
from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset, Split
from lisor.evaluation import baselines, choice, ngrams
from lisor.evaluation.evaluation import Evaluation, evaluate
from lisor.extraction.extract import extract
from lisor.extraction.extraction import Extraction
from lisor.extraction.view import View
from lisor.networks import hidden_states, training
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

TRAIN, HELD_OUT = 30_000, 2_000
"""Strings to train on, and each of validation and selection, at most a tenth."""

KS = (*range(2, 33), *range(36, 65, 4), *range(72, 129, 8), *range(144, 257, 16))
"""The numbers of clusters that are tried."""

UNITS = (32, 64)
"""Of the networks of a problem: the one is kept whose loss on validation is lower."""

TRAINING = TrainingSettings(
    max_epochs=60, patience=4, learning_rate=0.002, batch_size=64, restarts=0
)
METHODS = ("decision-aware", "predictive")

WEIGHTS = (1, 10, 100, 1000)
"""What the network's distribution counts where those of an automaton are estimated from strings:
that is kept which makes the strings of validation likeliest."""

UNLIKELY = 0.003
"""A symbol that is less likely in a state is taken for one that cannot come."""

NEAR, TIMES = 0.02, 4
"""The distance to the network that is asked for, at so many times the true states."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem: what is learned from, the true probabilities of its test strings, and the true
    machine."""

    number: int
    data: Dataset
    true: Float[np.ndarray, " N"]
    machine: Automaton

    def score(self, distributions: Distributions) -> float:
        """The competition's score of distributions at the positions of the test strings."""
        test = self.data.splits["test"]
        return self.score_of(distributions.log_probabilities(test.labels))

    def score_of(self, logs: Float[np.ndarray, " M"]) -> float:
        """That of the log-probabilities of what follows each prefix."""
        positions = self.data.splits["test"].positions
        return pautomac_score(self.true, sequence_log_probabilities(logs, positions.offsets))


def main() -> None:
    """Work on all problems, two at a time, and write the page."""
    strings, models = (Path(path) for path in sys.argv[1:3])
    numbers = sorted(pd.read_parquet(strings, columns=["problem"])["problem"].unique().tolist())
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(partial(_solve, strings, models), numbers))
    page = "\n".join(_page(rows)) + "\n"
    (ROOT / "docs/pautomac.md").write_text(page, encoding="utf-8")


def read_problem(strings: Path, models: Path, number: int) -> Problem:
    """One problem of the two files."""
    table = pd.read_parquet(strings)
    table = table[table["problem"] == number]
    given = table.loc[table["split"] == "train", "symbols"].tolist()
    test = table[table["split"] == "test"]
    machine = read_pautomac(_as_lists(json.loads(models.read_text())[str(number)]))
    order = stream(0, "pautomac", number).permutation(len(given))
    held_out = min(HELD_OUT, len(given) // 10)
    parts = {
        "validation": order[:held_out],
        "selection": order[held_out : 2 * held_out],
        "train": order[2 * held_out :][:TRAIN],
    }
    splits = {
        name: Sequences.from_lists([given[row] for row in rows]) for name, rows in parts.items()
    }
    splits["test"] = Sequences.from_lists(test["symbols"].tolist())
    return Problem(
        number=number,
        data=Dataset.of_next(machine.alphabet, splits),
        true=test["probability"].to_numpy(),
        machine=machine,
    )


def _as_lists(model: Mapping[str, Any]) -> str:
    """A machine in the competition's own format."""
    lines = ["I: (state)", *(f"({q}) {p}" for q, p in model["initial"].items())]
    lines += ["F: (state)", *(f"({q}) {p}" for q, p in model["final"].items())]
    lines += ["S: (state,symbol)", *(f"({q},{a}) {p}" for q, a, p in model["symbol"])]
    lines += [
        "T: (state,symbol,state)",
        *(f"({q},{a},{r}) {p}" for q, a, r, p in model["transition"]),
    ]
    return "\n".join(lines)


def same_graph(automaton: Automaton, machine: Automaton) -> bool:
    """Whether an automaton has the states and transitions of a machine, but for symbols that are
    `UNLIKELY` in it."""
    pairs = {(automaton.start, machine.start)}
    frontier = list(pairs)
    while frontier:
        state, true = frontier.pop()
        likely = automaton.distributions[state, :-1] >= UNLIKELY
        if (likely & (machine.distributions[true, :-1] == 0)).any():
            return False
        for symbol in np.flatnonzero(machine.distributions[true, :-1] >= UNLIKELY).tolist():
            pair = (
                int(automaton.transitions[state, symbol]),
                int(machine.transitions[true, symbol]),
            )
            if pair not in pairs:
                pairs.add(pair)
                frontier.append(pair)
    ours, theirs = ({pair[side] for pair in pairs} for side in (0, 1))
    return len(pairs) == len(ours) == len(theirs) == int(machine.reachable().sum())


def _solve(strings: Path, models: Path, number: int) -> dict[str, Any]:
    """The figures of one problem."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    problem = read_problem(strings, models, number)
    data, machine, test = problem.data, problem.machine, problem.data.splits["test"]
    begun = time.monotonic()
    networks = [_train(data, units) for units in UNITS]
    network = min(networks, key=lambda one: min(one.history["validation_loss"]))
    trained = time.monotonic()
    automata, rows = _read_off(network, data)
    read = time.monotonic()
    table = pd.DataFrame([vars(row) for row in rows])
    tolerance = choice.default_tolerance(network.classes, network.target)
    chosen = choice.choose(table, tolerance=tolerance)
    selected = chosen[chosen["selected"]].iloc[0]
    automaton = automata[_variant(selected)].deterministic
    small = table[
        (table["test_set"] == choice.SELECTION) & (table["n_states"] <= TIMES * machine.n_states)
    ]
    nearest = small.loc[small["total_variation"].idxmin()]
    on_test = table[table["test_set"] == "test"].set_index(["method", "rule", "k"])
    fitted, validation = (data.splits[name].sequences for name in ("train", "validation"))
    symbols = len(data.alphabet)
    three = ngrams.NGram.fit(fitted, symbols, 3)
    longest = ngrams.best(fitted, validation, symbols)
    alergia = baselines.learn(network, fitted, method="alergia", seed=0, budget=0).automaton
    again = max(
        (refitted(automaton, fitted, weight=weight) for weight in WEIGHTS),
        key=lambda one: _likelihood(one, data.splits["validation"]),
    )
    score = problem.score
    return {
        "problem": number,
        "symbols": symbols,
        "units": network.architecture.hidden_size,
        "true states": machine.n_states,
        "ideal": score(Distributions.of(machine, test.sequences)),
        "network": score(Distributions.rows(network.predict(test.sequences))),
        "automaton": score(Distributions.of(automaton, test.sequences)),
        "refitted": score(Distributions.of(again, test.sequences)),
        "method": selected["method"],
        "states": automaton.n_states,
        "graph": same_graph(automaton, machine),
        "distance": float(selected["total_variation"]),
        "near": float(on_test.loc[_variant(nearest)]["total_variation"]),
        "near states": int(nearest["n_states"]),
        "3-gram": problem.score_of(three.log_probabilities(test.sequences)),
        "n": longest.order,
        "n-gram": problem.score_of(longest.log_probabilities(test.sequences)),
        "Alergia": score(Distributions.of(alergia, test.sequences)) if alergia else None,
        "Alergia states": alergia.n_states if alergia else None,
        "train": trained - begun,
        "read": read - trained,
    }


def _train(data: Dataset, units: int) -> TrainedModel:
    models = ModelsSettings(cells=("gru",), hidden_size=units)
    return training.train(data, cell="gru", models=models, settings=TRAINING, trials=[0])[0]


def _likelihood(automaton: Automaton, split: Split) -> float:
    logs = Distributions.of(automaton, split.sequences).log_probabilities(split.labels)
    return float(logs.mean())


def _variant(row: pd.Series) -> tuple[str, str, int]:
    return str(row["method"]), str(row["rule"]), int(row["k"])


def _read_off(
    network: TrainedModel, data: Dataset
) -> tuple[dict[tuple[str, str, int | None], Extraction], list[Evaluation]]:
    """The automata of every k, and their evaluations on the selection and test splits."""
    points = hidden_states.collect(network, data.splits["validation"].sequences)
    splits = {name: data.splits[name] for name in (choice.SELECTION, "test")}
    predictions = {
        name: hidden_states.predictions_on(network, split) for name, split in splits.items()
    }
    automata = [
        one
        for method in METHODS
        for clustering in cluster(points, KS, method=method, network=network, seed=0)
        for one in extract(
            View(network=network, points=points, clustering=clustering, unseen="stay"),
            ("dynamics", "majority"),
        )
    ]
    return {one.variant: one for one in automata}, evaluate(automata, splits, predictions)


def _page(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "# Language models of probabilistic automata"
    yield ""
    yield (
        "Written by `make pautomac`. Ten problems of the PAutomaC competition whose machines are "
        "deterministic (Verwer et al., 2014,\n"
        "*PAutomaC: a probabilistic automata and hidden Markov models learning competition*). A\n"
        f"GRU of {UNITS[0]} or {UNITS[1]} units, by validation, learns from at most {TRAIN:,} "
        "strings what comes next; a PDFA is read off its hidden states ("
        f"{' or '.join(f'`{method}`' for method in METHODS)},\n"
        "the rules `dynamics` and `majority`): the smallest whose divergence from the network on "
        "the selection split is within 0.01 nats of the best.\n"
        "*Refitted*: the same automaton with probabilities counted in the strings that its network "
        "learned from, the network's own as a prior.\n"
        f"Seconds of one core, two problems side by side on {_machine()}."
    )
    yield ""
    yield (
        "Score: 2^(−Σ p log₂ q) over the test strings, ideal for the true machine. n-grams are "
        "smoothed by Witten & Bell (1991), n chosen on\nvalidation. Alergia is AALpy's, with its "
        "own settings, on the same strings."
    )
    yield ""
    yield (
        "| problem | symbols | true states | ideal | network | automaton | refitted | states | "
        "method | true graph | 3-gram | best n-gram | Alergia | seconds |"
    )
    yield "| --- " * 14 + "|"
    for row in rows:
        alergia = (
            "–" if row["Alergia"] is None else f"{row['Alergia']:.3f} ({row['Alergia states']})"
        )
        yield (
            f"| {row['problem']} | {row['symbols']} | {row['true states']} | {row['ideal']:.3f} | "
            f"{row['network']:.3f} | {row['automaton']:.3f} | {row['refitted']:.3f} | "
            f"{row['states']} | {row['method']} | {'yes' if row['graph'] else 'no'} | "
            f"{row['3-gram']:.3f} | {row['n-gram']:.3f} (n = {row['n']}) | {alergia} | "
            f"{row['train']:.0f} + {row['read']:.0f} |"
        )
    for name in ("automaton", "refitted"):
        close = sum(row[name] <= 1.03 * row["ideal"] for row in rows)
        better = sum(row[name] < row["network"] for row in rows)
        beats = sum(row[name] < min(row["n-gram"], row["Alergia"] or np.inf) for row in rows)
        yield ""
        yield (
            f"{name.capitalize()}: within 3 % of the ideal {close} of {len(rows)}, better than its "
            f"network {better}, than the best n-gram and Alergia {beats}."
        )
    yield ""
    yield f"True graph: {sum(row['graph'] for row in rows)}."
    yield ""
    yield "## How near to the network"
    yield ""
    yield (
        "Total variation distance to the network on the test strings, mean over all prefixes: of "
        "the chosen automaton, and of the nearest one\n"
        f"(on the selection split) of at most {TIMES} times the true states."
    )
    yield ""
    yield f"| problem | chosen | states | nearest | states | at most {NEAR} |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        yield (
            f"| {row['problem']} | {row['distance']:.4f} | {row['states']} | {row['near']:.4f} | "
            f"{row['near states']} | {'yes' if row['near'] <= NEAR else 'no'} |"
        )


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
