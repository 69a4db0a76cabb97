"""Automata that other learners make of the same networks, by AALpy (Muškardin et al., 2022).

They query a network for whether it accepts words; none looks at hidden states. `pip install
lisor[baselines]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError, one_line
from lisor.extraction.extraction import make_automaton
from lisor.networks.network import Network
from lisor.randomness import stream_seed
from lisor.registry import DISTRIBUTION_BASELINES
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

RANDOM_WORDS, RANDOM_LENGTH = 25, 12
"""Random words tried from each state of a hypothesis, and their length: AALpy's own defaults."""

MAX_REASON = 100
"""Characters of the message of a failure that are kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """The automaton that a learner found; `unfinished` is the reason why its search did not end.

    The automaton then is the last hypothesis, and None where there was none yet. `steps` counts the
    symbols that the network read."""

    automaton: Automaton | None
    unfinished: str | None
    steps: int


class _OutOfStepsError(Exception):
    pass


class _NetworkError(Exception):
    """An error that the network raised, which is no failure of AALpy's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def learn(model: Network, words: Sequences, *, method: str, seed: int, budget: int) -> Learned:
    """The automaton that one of `BASELINES` makes of a network of two classes, or one of
    `DISTRIBUTION_BASELINES` of sequences.

    Alergia merges the prefixes of `words` whose continuations do not differ significantly. L* and
    KV search with random words from the access string of each state of the hypothesis, until
    none distinguishes it from the network or the network has read `budget` symbols; RPNI
    generalises from `words`, and reads them once. Where AALpy itself fails, the search counts as
    unfinished.

    Raises:
        AutomatonError: AALpy is not installed, or the network has more classes than two."""
    try:
        import aalpy
    except ImportError:
        raise AutomatonError("the baselines need AALpy: pip install 'lisor[baselines]'") from None
    if method in DISTRIBUTION_BASELINES:
        return _learn_pdfa(aalpy, model, words)
    if len(model.classes) != 2:
        raise AutomatonError(
            f"the baselines learn automata of two classes, the network has {len(model.classes)}"
        )
    if method == "rpni":
        accepted, at = model.predict(words).argmax(axis=1) == 1, Positions.of(words, model.target)
        read = words.cut(words.offsets[at.sequence], at.read)
        data = [(tuple(read[row].tolist()), bool(label)) for row, label in enumerate(accepted)]
        options = {"algorithm": "gsm", "input_completeness": "sink_state", "print_info": False}
        automaton, unfinished = _try(
            lambda: _convert(aalpy.run_RPNI(data, "dfa", **options), model)
        )
        return Learned(automaton=automaton, unfinished=unfinished, steps=len(words.symbols))
    symbols = list(range(len(model.alphabet)))
    adapter = _make_adapter(aalpy, model, budget)
    oracle = _make_oracle(aalpy, adapter, symbols, Random(stream_seed(seed, method)), model)
    run = {"lstar": aalpy.run_Lstar, "kv": aalpy.run_KV}[method]
    automaton, unfinished = _try(
        lambda: _convert(run(symbols, adapter, oracle, "dfa", print_level=0), model)
    )
    last = oracle.hypothesis if automaton is None else automaton
    return Learned(automaton=last, unfinished=unfinished, steps=adapter.steps)


def _learn_pdfa(aalpy: Any, model: Network, words: Sequences) -> Learned:
    """The PDFA of AALpy's Alergia, as a Markov chain whose states put out symbols and the end."""
    begin, end = -1, len(model.alphabet)
    data = [[begin, *words[row].tolist(), end] for row in range(len(words))]
    automaton, unfinished = _try(
        lambda: _convert_chain(aalpy.run_Alergia(data, automaton_type="mc"), model)
    )
    return Learned(automaton=automaton, unfinished=unfinished, steps=0)


def _convert_chain(learned: Any, model: Network) -> Automaton:
    """AALpy's Markov chain as a PDFA: a transition into a state is that on the symbol which it puts
    out; a symbol that never comes changes nothing."""
    end = len(model.alphabet)
    states = [state for state in learned.states if state.output != end]
    numbers = {state.state_id: number for number, state in enumerate(states)}
    table = np.tile(np.arange(len(states))[:, None], (1, end))
    shares = np.zeros((len(states), end + 1))
    for row, state in enumerate(states):
        for target, share in state.transitions:
            shares[row, target.output] += share
            if target.output != end:
                table[row, target.output] = numbers[target.state_id]
    shares /= shares.sum(axis=1, keepdims=True)
    start = numbers[learned.initial_state.state_id]
    return make_automaton(model, table, shares.argmax(axis=1), start, shares)


def _try(search: Callable[[], Automaton]) -> tuple[Automaton | None, str | None]:
    """The automaton that a search by AALpy finds, or the reason why there is none."""
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

    class Adapter(aalpy.SUL):  # type: ignore[misc]
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

    return Adapter()


def _make_oracle(aalpy: Any, adapter: Any, symbols: list[int], rng: Random, model: Network) -> Any:
    """AALpy's equivalence query by random words from the access string of each state."""

    class StatePrefixes(aalpy.base.Oracle):  # type: ignore[misc]
        hypothesis: Automaton | None = None

        def find_cex(self, hypothesis: Any) -> tuple[int, ...] | None:
            # A copy: KV goes on to change its own in place.
            self.hypothesis = _convert(hypothesis, model)
            for state in hypothesis.states:
                for _ in range(RANDOM_WORDS):
                    word = (*state.prefix, *rng.choices(symbols, k=RANDOM_LENGTH))
                    self.reset_hyp_and_sul(hypothesis)
                    for length, symbol in enumerate(word, 1):
                        if hypothesis.step(symbol) != self.sul.step(symbol):
                            self.sul.post()
                            return word[:length]
                    self.sul.post()
            return None

    return StatePrefixes(symbols, adapter)


def _convert(learned: Any, model: Network) -> Automaton:
    """AALpy's automaton as one of lisor's, with a rejecting sink for symbols that it has no
    transition for: RPNI met them in no word."""
    sink = len(learned.states)
    numbers = {state.state_id: number for number, state in enumerate(learned.states)}
    table = np.full((sink + 1, len(model.alphabet)), sink)
    for row, state in enumerate(learned.states):
        for symbol, target in state.transitions.items():
            table[row, symbol] = numbers[target.state_id]
    outputs = np.array([*(bool(state.is_accepting) for state in learned.states), False])
    used = sink + bool((table[:sink] == sink).any())
    start = numbers[learned.initial_state.state_id]
    return make_automaton(model, table[:used], outputs[:used], start)
