"""What other ways of learning automata make of the same networks, by AALpy (Muškardin et al., 2022).

They ask a network whether it accepts words; none looks at hidden states. `pip install lisor[baselines]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError
from lisor.fsa.automaton import Automaton
from lisor.fsa.extraction import make_automaton
from lisor.rnn.network import Network

METHODS = ("lstar", "kv", "rpni")
"""L* (Angluin, 1987), KV (Kearns & Vazirani, 1994), and RPNI (Oncina & García, 1992) on words the network labels."""

WALKS, WALK_LENGTH = 25, 12
"""Random words tried from each state of a hypothesis, and their length: AALpy's own defaults."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """The automaton that was found; `complete` is False where time ran out, and it then is the last hypothesis.

    None where there was no hypothesis yet. `queries` counts the words that the network was asked."""

    automaton: Automaton | None
    complete: bool
    queries: int


class _OutOfTimeError(Exception):
    pass


def learn(
    model: Network, words: Sequences, *, method: str, seed: int, expired: Callable[[], bool] = lambda: False
) -> Learned:
    """The automaton that one of the `METHODS` makes of a network of two classes.

    L* and KV search with random words from the access sequence of each state of the hypothesis, until none tells it and
    the network apart or `expired()`; RPNI generalises from `words`.

    Raises:
        AutomatonError: AALpy is not installed, or the network has more classes than two."""
    try:
        import aalpy
    except ImportError:
        raise AutomatonError("the baselines need AALpy: pip install 'lisor[baselines]'") from None
    if len(model.classes) != 2:
        raise AutomatonError(f"the baselines learn automata of two classes, the network has {len(model.classes)}")
    symbols = range(len(model.vocabulary))
    if method == "rpni":
        answers = model.predict(words).argmax(axis=1) == 1
        data = [(tuple(words[row].tolist()), bool(answer)) for row, answer in enumerate(answers)]
        found = aalpy.run_RPNI(data, "dfa", algorithm="gsm", input_completeness="sink_state", print_info=False)
        return Learned(automaton=_convert(found, model), complete=True, queries=len(data))
    asked = _make_adapter(aalpy, model, expired)
    oracle = _make_oracle(aalpy, asked, list(symbols), Random(seed))
    run = {"lstar": aalpy.run_Lstar, "kv": aalpy.run_KV}[method]
    try:
        found = run(list(symbols), asked, oracle, "dfa", print_level=0)
    except _OutOfTimeError:
        last = None if oracle.hypothesis is None else _convert(oracle.hypothesis, model)
        return Learned(automaton=last, complete=False, queries=asked.num_queries)
    return Learned(automaton=_convert(found, model), complete=True, queries=asked.num_queries)


def _make_adapter(aalpy: Any, model: Network, expired: Callable[[], bool]) -> Any:
    """The network as AALpy's system under learning."""

    class Asked(aalpy.SUL):  # type: ignore[misc]
        def pre(self) -> None:
            if expired():
                raise _OutOfTimeError
            self.state = model.initial_state()

        def post(self) -> None:
            pass

        def step(self, symbol: int | None) -> bool:
            if symbol is not None:
                self.state = model.step(self.state, symbol)
            return model.is_accepting(self.state)

    return Asked()


def _make_oracle(aalpy: Any, asked: Any, symbols: list[int], rng: Random) -> Any:
    """AALpy's search from the prefixes of states, with random numbers of its own."""

    class StatePrefixes(aalpy.base.Oracle):  # type: ignore[misc]
        hypothesis: Any = None

        def find_cex(self, hypothesis: Any) -> tuple[int, ...] | None:
            self.hypothesis = hypothesis
            for state in hypothesis.states:
                for _ in range(WALKS):
                    word = (*state.prefix, *rng.choices(symbols, k=WALK_LENGTH))
                    self.reset_hyp_and_sul(hypothesis)
                    for length, symbol in enumerate(word, 1):
                        if hypothesis.step(symbol) != self.sul.step(symbol):
                            self.sul.post()
                            return word[:length]
                    self.sul.post()
            return None

    return StatePrefixes(symbols, asked)


def _convert(found: Any, model: Network) -> Automaton:
    place = {state.state_id: number for number, state in enumerate(found.states)}
    table = [
        [place[state.transitions[symbol].state_id] for symbol in range(len(model.vocabulary))] for state in found.states
    ]
    outputs = np.array([bool(state.is_accepting) for state in found.states])
    return make_automaton(model, np.array(table), outputs, place[found.initial_state.state_id])
