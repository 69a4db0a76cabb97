"""Running an automaton of 20 states on 100,000 words of length 1 to 200, beside AALpy's and
automata-lib's runners."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import numpy as np
from aalpy.automata import Dfa
from automata.fa.dfa import DFA
from jaxtyping import Int

from benchmarks.measure import THREADS, Work
from benchmarks.sequences import each
from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.sequences import Sequences

WORDS, LONGEST, STATES, ALPHABET = 100_000, 200, 20, ("0", "1")

Predictions = Int[np.ndarray, " N"]


def works() -> list[Work]:
    """`Automaton.classify` as ours; each peer gets the words in the form that it reads."""
    automaton, words = _draw(np.random.default_rng(0))
    spelled = [tuple(ALPHABET[symbol] for symbol in word) for word in each(words)]
    peers = {"AALpy": _aalpy(automaton), "automata-lib": _automata_lib(automaton)}
    return [_work(name, accepts, automaton, words, spelled) for name, accepts in peers.items()]


def _work(
    name: str,
    accepts: Callable[[tuple[str, ...]], bool],
    automaton: Automaton,
    words: Sequences,
    spelled: list[tuple[str, ...]],
) -> Work:
    def ours() -> tuple[Predictions, float]:
        started = time.perf_counter()
        return automaton.classify(words, threads=THREADS), time.perf_counter() - started

    def quality(ours: tuple[Predictions, float], peer: Predictions) -> str:
        answers, seconds = ours
        rate = len(words.symbols) / seconds / 1e6
        return f"{(answers == peer).mean():.0%} answered alike; {rate:.0f} million symbols a second"

    return Work(
        name=f"automaton-run, peer {name}",
        ours=ours,
        peer=lambda: np.array([accepts(word) for word in spelled]),
        quality=quality,
    )


def _draw(rng: np.random.Generator) -> tuple[Automaton, Sequences]:
    automaton = Automaton(
        alphabet=Alphabet.of(ALPHABET),
        classes=CLASSES,
        transitions=rng.integers(STATES, size=(STATES, len(ALPHABET))),
        outputs=rng.integers(len(CLASSES), size=STATES),
    )
    lengths = rng.integers(1, LONGEST + 1, size=WORDS)
    symbols = rng.integers(len(ALPHABET), size=lengths.sum())
    return automaton, Sequences(symbols=symbols, offsets=np.concatenate([[0], np.cumsum(lengths)]))


def _aalpy(automaton: Automaton) -> Callable[[tuple[str, ...]], bool]:
    setup = {
        str(state): (
            bool(output),
            {symbol: str(target) for symbol, target in zip(ALPHABET, row, strict=True)},
        )
        for state, (output, row) in enumerate(
            zip(automaton.outputs, automaton.transitions, strict=True)
        )
    }
    dfa = Dfa.from_state_setup({str(automaton.start): setup.pop(str(automaton.start)), **setup})
    return lambda word: bool(dfa.execute_sequence(dfa.initial_state, word)[-1])


def _automata_lib(automaton: Automaton) -> Callable[[tuple[str, ...]], bool]:
    dfa: DFA = DFA(
        states=set(range(STATES)),
        input_symbols=set(ALPHABET),
        transitions={state: dict(zip(ALPHABET, row.tolist(), strict=True))
                     for state, row in enumerate(automaton.transitions)},
        initial_state=automaton.start,
        final_states=set(np.flatnonzero(automaton.outputs).tolist()),
    )  # fmt: skip
    return cast("Callable[[tuple[str, ...]], bool]", dfa.accepts_input)
