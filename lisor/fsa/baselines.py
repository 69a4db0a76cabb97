"""What other ways of learning automata make of the same networks, by AALpy (Muškardin et al., 2022).

They ask a network whether it accepts words; none looks at hidden states. `pip install lisor[baselines]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError, one_line
from lisor.fsa.automaton import Automaton
from lisor.fsa.extraction import make_automaton
from lisor.randomness import stream_seed
from lisor.rnn.network import Network

METHODS = ("lstar", "kv", "rpni")
"""L* (Angluin, 1987), KV (Kearns & Vazirani, 1994), and RPNI (Oncina & García, 1992) on words the network labels."""

WALKS, WALK_LENGTH = 25, 12
"""Random words tried from each state of a hypothesis, and their length: AALpy's own defaults."""

MAX_REASON = 100
"""Characters of the message of a failure that are kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """The automaton that was found; `unfinished` says why the search did not come to its end, if it did not.

    The automaton then is the last hypothesis, and None where there was none yet. `steps` counts the symbols that the
    network read."""

    automaton: Automaton | None
    unfinished: str | None
    steps: int


class _OutOfStepsError(Exception):
    pass


class _NetworkError(Exception):
    """What the network raised, which is no failure of AALpy's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def learn(model: Network, words: Sequences, *, method: str, seed: int, budget: int) -> Learned:
    """The automaton that one of the `METHODS` makes of a network of two classes.

    L* and KV search with random words from the access sequence of each state of the hypothesis, until none tells it and
    the network apart or the network has read `budget` symbols; RPNI generalises from `words`, and reads them once.
    Where AALpy itself fails, the search counts as unfinished.

    Raises:
        AutomatonError: AALpy is not installed, or the network has more classes than two."""
    try:
        import aalpy
    except ImportError:
        raise AutomatonError("the baselines need AALpy: pip install 'lisor[baselines]'") from None
    if len(model.classes) != 2:
        raise AutomatonError(f"the baselines learn automata of two classes, the network has {len(model.classes)}")
    if method == "rpni":
        answers = model.predict(words).argmax(axis=1) == 1
        data = [(tuple(words[row].tolist()), bool(answer)) for row, answer in enumerate(answers)]
        how = {"algorithm": "gsm", "input_completeness": "sink_state", "print_info": False}
        found, unfinished = _try(lambda: _convert(aalpy.run_RPNI(data, "dfa", **how), model))
        return Learned(automaton=found, unfinished=unfinished, steps=len(words.symbols))
    symbols = list(range(len(model.vocabulary)))
    asked = _make_adapter(aalpy, model, budget)
    oracle = _make_oracle(aalpy, asked, symbols, Random(stream_seed(seed, method)), model)
    run = {"lstar": aalpy.run_Lstar, "kv": aalpy.run_KV}[method]
    found, unfinished = _try(lambda: _convert(run(symbols, asked, oracle, "dfa", print_level=0), model))
    last = oracle.hypothesis if found is None else found
    return Learned(automaton=last, unfinished=unfinished, steps=asked.steps)


def _try(search: Callable[[], Automaton]) -> tuple[Automaton | None, str | None]:
    """What a search by AALpy finds, or else why there is nothing."""
    try:
        return search(), None
    except _OutOfStepsError:
        return None, "out of steps"
    except _NetworkError as raised:
        raise raised.error from None
    except (Exception, SystemExit) as error:  # AALpy exits where one word gets two predictions
        reason = one_line(str(error), MAX_REASON)
        return None, f"AALpy failed: {type(error).__name__} {reason}".rstrip()


def _make_adapter(aalpy: Any, model: Network, budget: int) -> Any:
    """The network as AALpy's system under learning."""

    class Asked(aalpy.SUL):  # type: ignore[misc]
        steps = 0

        def pre(self) -> None:
            self.state = model.initial_state()

        def post(self) -> None:
            pass

        def step(self, symbol: int | None) -> bool:
            if symbol is not None:
                if self.steps == budget:
                    raise _OutOfStepsError
                self.steps += 1
            try:
                if symbol is not None:
                    self.state = model.step(self.state, symbol)
                return model.is_accepting(self.state)
            except Exception as error:
                raise _NetworkError(error) from error

    return Asked()


def _make_oracle(aalpy: Any, asked: Any, symbols: list[int], rng: Random, model: Network) -> Any:
    """AALpy's search from the prefixes of states, with random numbers of its own."""

    class StatePrefixes(aalpy.base.Oracle):  # type: ignore[misc]
        hypothesis: Automaton | None = None

        def find_cex(self, hypothesis: Any) -> tuple[int, ...] | None:
            self.hypothesis = _convert(hypothesis, model)  # a copy: KV goes on to change its own in place
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
    """AALpy's automaton, with a rejecting sink for symbols that it knows nothing of: RPNI met them in no word."""
    place, sink = {state.state_id: number for number, state in enumerate(found.states)}, len(found.states)
    table = np.full((sink + 1, len(model.vocabulary)), sink)
    for state in found.states:
        for symbol, target in state.transitions.items():
            table[place[state.state_id], symbol] = place[target.state_id]
    outputs = np.array([*(bool(state.is_accepting) for state in found.states), False])
    used = sink + bool((table[:sink] == sink).any())
    return make_automaton(model, table[:used], outputs[:used], place[found.initial_state.state_id])
