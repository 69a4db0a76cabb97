"""python -m benchmarks.random_languages FILE.json: regular languages drawn at random, and how many
come out exact.

An automaton is drawn with 2 to 10 states, uniform transitions over two symbols and a coin for each
state's class, until one is minimal. Nobody picks among the languages: seeds are counted up from
0."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import lisor
from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.automata.languages import Language
from lisor.data import words
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences

LANGUAGES, MAX_STATES = 20, 10
SIZES = {"train": 3000, "validation": 500, "selection": 500, "test": 500}
MAX_LENGTH = 20


def main() -> None:
    """Draw, train, extract, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.random_languages", description=__doc__
    )
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    rows = []
    for seed in range(LANGUAGES):
        rows.append(_measure(seed))
        print(json.dumps(rows[-1]), flush=True)
    exact, at_fault = (
        sum(row["exact"] for row in rows),
        sum(row["fault"] == "network" for row in rows),
    )
    print(
        f"{exact} of {len(rows)} exact; on {at_fault} of the other {len(rows) - exact} the network "
        f"itself is wrong"
    )
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def draw(seed: int) -> Automaton:
    """A minimal automaton over two symbols."""
    rng = np.random.default_rng(seed)
    while True:
        states = int(rng.integers(2, MAX_STATES + 1))
        transitions = rng.integers(states, size=(states, 2))
        outputs = rng.integers(2, size=states)
        drawn = Automaton(
            alphabet=Alphabet.of("01"), classes=CLASSES, transitions=transitions, outputs=outputs
        )
        if drawn.minimized().n_states == states:
            return drawn


def _measure(seed: int) -> dict[str, Any]:
    """What became of one language: how well the network learned it, and whether its automaton is
    the language."""
    truth = draw(seed)
    dataset = words.build(
        Language(automaton=truth), sizes=SIZES, max_length=MAX_LENGTH, balanced=True, seed=seed
    )
    begun = time.perf_counter()
    network = lisor.train(dataset, seed=seed)
    trained = time.perf_counter()
    automaton = lisor.extract(network, dataset)
    extracted = time.perf_counter()
    accuracy = {
        name: float((network.predict(split.sequences).argmax(axis=1) == split.labels).mean())
        for name, split in dataset.splits.items()
        if name not in ("train", "selection")
    }
    word = truth.distinguishing_word(automaton)
    return {
        "seed": seed,
        "states": truth.n_states,
        "states_found": automaton.minimized().n_states,
        "exact": word is None,
        "fault": None if word is None else _fault(network, truth, word),
        "word": None if word is None else "".join(word),
        "validation_accuracy": accuracy.pop("validation"),
        "worst_test_accuracy": min(accuracy.values()),
        "restarts": network.restarts,
        "train_seconds": round(trained - begun, 2),
        "extract_seconds": round(extracted - trained, 2),
    }


def _fault(network: TrainedModel, truth: Automaton, word: tuple[str, ...]) -> str:
    """Who is wrong on the shortest word that tells the automaton from the language."""
    answer = network.predict(Sequences.from_lists([truth.encode(word)])).argmax(axis=1)[0]
    return "extraction" if answer == truth.accepts(word) else "network"


if __name__ == "__main__":
    main()
