"""`mlflow models serve` of what a run has registered: a real server, asked over HTTP."""

from pathlib import Path

import pytest

from benchmarks.serving import ask, served
from lisor.automata.automaton import Automaton
from lisor.sequences import Sequences
from lisor_tasks.serving import ALIAS

pytestmark = pytest.mark.slow


def test_a_served_automaton_answers_as_it_runs(finished: Path) -> None:
    automaton = Automaton.from_json(
        (finished / "reports/tiny/latest/automata/selected/000-gru-0.json").read_text()
    )
    words = ["", "0", "0110", "10001", "0000000"]
    with served(f"models:/tiny-000@{ALIAS}") as url:
        answers = ask(url, words)
    sequences = Sequences.from_lists([automaton.encode(word) for word in words])
    assert [answer["state"] for answer in answers] == automaton.run(sequences).tolist()
    assert [answer["class"] for answer in answers] == [
        automaton.classes[c] for c in automaton.classify(sequences)
    ]
    for word, answer in zip(words, answers, strict=True):
        path = answer["path"]
        assert isinstance(path, list)
        assert (len(path), path[0], path[-1]) == (len(word) + 1, automaton.start, answer["state"])
