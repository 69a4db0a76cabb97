"""Automata refined where they and their network differ: the rule "refined".

Shapes: K centers, Q = K + 1 states (the start first), S symbols, N words, H hidden units, D numbers of a state, F
numbers in which states are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences
from lisor.fsa.automaton import Automaton
from lisor.fsa.clustering import Clustering
from lisor.fsa.dynamics import center_states, space_of, steps, targets
from lisor.fsa.extraction import Extraction, make_automaton
from lisor.fsa.probes import Probes
from lisor.randomness import stream
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network, States

PROBES = 500
"""Words of each kind that are drawn in a round."""

MOST_EXPLAINED = 1000
"""Differing words of a round whose cause is looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Refinement:
    """A refined automaton, and how the search went.

    `tests`: how many words network and automaton were compared on; `last_difference`: after how many of them the last
    difference was met, 0 where there was none; `complete`: whether the last round met none; `limited`: whether it ended
    because it had as many states as it may. `steps`: how many symbols the network read; `steps_to_last`: how many by
    the end of the last round that met a difference."""

    extraction: Extraction
    tests: int
    last_difference: int
    complete: bool
    limited: bool
    steps: int
    steps_to_last: int


def refine(
    model: Network,
    points: Points,
    clustering: Clustering,
    probes: Probes,
    *,
    most_states: int,
    seed: int,
    budget: int | None = None,
) -> Refinement:
    """The automaton by the rule "dynamics" with new states where it goes wrong, minimised.

    Each round compares automaton and network on the words of `probes`, on near misses of them, on words that walk from
    each state, and on random ones. In a word on which they differ there is a place where the network, set into the
    center of the automaton's state, still answers right, and one symbol later no longer does; halving finds it as in
    Rivest & Schapire (1993), "Inference of finite automata using homing sequences". The state that is reached there
    stands for hidden states that must be told apart, so the one that the network itself goes to becomes a center. A
    round splits a quarter of the states at most, those first that most words blame.

    It ends when a round meets no difference, at `most_states` states before minimisation, when new centers change no
    transition, or after the round in which the network has read `budget` symbols. Unless no difference is left, what is
    returned is the automaton of the round that agreed most with the network on the words of `probes`. Where the network
    does not read the empty word, the start answers what makes the automaton smallest."""
    rng = stream(seed, "refined")
    states, complete, limited = center_states(model, points, clustering), False, False
    tests = last = known = spent = spent_to_last = 0
    best, most = None, -1.0
    space, stepped = space_of(states, clustering.metric), list[Float[np.ndarray, "S F"]]()
    while True:
        spent += (len(states[0]) - len(stepped)) * len(model.vocabulary)
        stepped += steps(model, tuple(part[len(stepped) :] for part in states), space)
        outputs = model.probabilities(states[0]).argmax(axis=1)
        machine = make_automaton(model, targets(stepped, states, space), outputs)
        words = Sequences.join([probes.words, draw(probes, machine, rng)])
        answers = model.predict(words).argmax(axis=1)
        spent += len(words.symbols)
        differs = machine.classify(words) != answers
        wrong = np.flatnonzero(differs)
        agreed = 1 - float(differs[: len(probes.words)].mean())
        if best is None or agreed >= most:
            best, most = machine, agreed
        if not len(wrong):
            complete = True
            tests += len(words)
            break
        last, tests = tests + int(wrong[-1]) + 1, tests + len(words)
        spent_to_last = spent
        room = min(most_states - len(states[0]), max(1, len(states[0]) // 4))
        stuck = known > 0 and not (machine.transitions[:known] >= known).any()
        limited = room < 1
        if limited or stuck or (budget is not None and spent >= budget):
            break
        wrong = rng.permutation(wrong)[:MOST_EXPLAINED]
        known = len(states[0])
        fresh, read = _new_centers(model, machine, states, words.select(wrong), answers[wrong], clustering.metric, room)
        spent += read
        states = tuple(np.concatenate([old, new]) for old, new in zip(states, fresh, strict=True))
    machine = best.minimized() if model.reads_empty else forget_empty(best)
    seen = np.ones(machine.transitions.shape, bool)
    found = Extraction(method=clustering.method, rule="refined", k=clustering.k, machine=machine, seen=seen)
    return Refinement(
        extraction=found,
        tests=tests,
        last_difference=last,
        complete=complete,
        limited=limited,
        steps=spent,
        steps_to_last=spent_to_last,
    )


def draw(probes: Probes, machine: Automaton, rng: np.random.Generator) -> Sequences:
    """Words on which an automaton may be wrong: near misses, words that go on from each state, and random ones."""
    drawn = (probes.near_misses(PROBES, rng), probes.walks(machine, PROBES, rng), probes.random(PROBES, rng))
    return Sequences.join(drawn)


def forget_empty(machine: Automaton) -> Automaton:
    """The smallest automaton that answers every word as another does, but for the empty one; a tie leaves that too."""
    if (machine.transitions == machine.start).any():
        return machine.minimized()
    found = [machine.minimized()]
    for answer in range(len(machine.classes)):
        outputs = machine.outputs.copy()
        outputs[machine.start] = answer
        found.append(replace(machine, outputs=outputs).minimized())
    return min(found, key=lambda automaton: automaton.n_states)


def _new_centers(
    model: Network,
    machine: Automaton,
    states: States,
    words: Sequences,
    answers: Int[np.ndarray, " N"],
    metric: Float[np.ndarray, "D F"] | None,
    room: int,
) -> tuple[States, int]:
    """The hidden states that become centers, at most `room`, one for each state that words blame; and how many symbols
    the network read to find them.

    Of the hidden states that a blamed state stood for wrongly it is the one nearest to their mean."""
    trace, starts = machine.trace(words), words.offsets[:-1]

    def reached(read: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """The automaton's state after so many symbols of each word."""
        found: Int[np.ndarray, " N"] = np.where(read > 0, trace[starts + np.maximum(read, 1) - 1], machine.start)
        return found

    low, high, read = np.zeros(len(words), np.int64), words.lengths, len(words)
    while (high - low > 1).any():
        middle = (low + high) // 2
        at = reached(middle)
        rest = words.cut(starts + middle, words.lengths - middle)
        read += len(rest.symbols)
        found = model.predict_from(tuple(part[at] for part in states), rest).argmax(axis=1)
        right = (found == answers) & (high - low > 1)
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    source, blamed = reached(low), reached(low + 1)
    stepped = model.advance(tuple(part[source] for part in states), words.symbols[starts + low])
    space = np.concatenate(stepped, axis=1) @ metric if metric is not None else stepped[0]
    blame = np.bincount(blamed, minlength=len(states[0]))
    rows = []
    for state in np.argsort(-blame, kind="stable")[:room]:
        mine = np.flatnonzero(blamed == state)
        if len(mine):
            rows.append(mine[np.square(space[mine] - space[mine].mean(axis=0)).sum(axis=1).argmin()])
    return tuple(part[rows] for part in stepped), read
