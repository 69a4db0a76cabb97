"""What each hidden unit of a network does: its associations, extreme contexts, what it predicts
alone, and its group.

Shapes: P steps, N sequences, H hidden units, K steps that a tree is fitted to, M that it is tested
on, C numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from sklearn.cluster import AgglomerativeClustering
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset, Split
from lisor.explain.annotations import judge
from lisor.explain.associations import (
    LEVEL,
    Association,
    Associations,
    associations_of_ends,
    associations_of_steps,
)
from lisor.explain.groups import group_steps
from lisor.explain.score import labels_of_steps
from lisor.networks.batches import length_batches
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network
from lisor.randomness import stream_seed
from lisor.registry import TARGETS
from lisor.sequences import Sequences

MAX_STEPS = 50_000
"""Steps that are examined: the first, in whole sequences."""

SHOWN = 3
"""Contexts of a unit's highest and of its lowest values."""

MAX_EXAMINED = 1000
"""Steps among which contexts are searched."""

CONTEXT = 6
"""Symbols of a context before the last one."""

NAMED = {"symbol": 4, "state": 2, "class": 1}
"""How many categories of each kind a sentence names as high, and as low."""

DIRECTIONS = {"symbol": ("rises", "falls"), "state": ("high", "low"), "class": ("high",)}
"""What a sentence says of each kind: a unit is high at the end of some class where it is low at the
end of others."""

MAX_UNITS = 256
"""Units that are described: those that move most."""

MAX_LEAVES = 32
"""Leaves of the decision tree on a single unit."""

ALIKE = 0.5
"""The mean absolute correlation of units from which they form a group."""


ByKind = Mapping[str, tuple[tuple[str, ...], Associations]]
"""The names of each kind's categories, and their associations with all units."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One hidden unit.

    `group` numbers the units that correlate, `moves` is the mean |h_t - h_(t-1)|. `highest` and
    `lowest` are the contexts of its extreme values, each ending with the symbol just read.
    `associations` are those that the permutation test supports. `alone` is how well a decision tree
    on the unit's value predicts at each position of the test split: its accuracy, of one leaf for
    each class, or where numbers are predicted R² for the first of them, of `MAX_LEAVES`. `sentence`
    puts the associations in words. `verdict` is the evidence on a person's `note`."""

    number: int
    group: int
    moves: float
    highest: tuple[str, ...]
    lowest: tuple[str, ...]
    associations: tuple[Association, ...]
    alone: float
    sentence: str | None
    note: str | None = None
    verdict: str | None = None


def units(
    network: Network,
    dataset: Dataset,
    points: Points,
    automaton: Automaton,
    notes: Mapping[int, str],
    *,
    seed: int = 0,
) -> tuple[Unit, ...]:
    """Each hidden unit of a network, by the steps of the validation split, which `points` are.

    `notes` are a person's, by the number of the unit."""
    starts = np.flatnonzero(points.step == 1)
    stop = len(points.step)
    if stop > MAX_STEPS:
        stop = int(starts[starts <= MAX_STEPS][-1])
    starts = starts[starts < stop]
    sequences = Sequences(symbols=points.symbol[:stop], offsets=np.append(starts, stop))
    state = points.state[:stop, : network.units]
    changes = np.diff(state, axis=0, prepend=0)
    begin = network.initial_state()[0][0].cpu().numpy()[:, : network.units]
    changes[starts] = state[starts] - begin
    moves = np.abs(changes).mean(axis=0)
    numbers = np.sort(np.argsort(-moves, kind="stable")[:MAX_UNITS])
    state, changes, moves = state[:, numbers], changes[:, numbers], moves[numbers]
    validation, ends = dataset.splits["validation"], sequences.offsets[1:] - 1
    read = validation.sequences.offsets[points.sequence[:stop]] + points.step[:stop] - 1
    grouped = group_steps(validation, dataset.classes)
    of_steps, count = grouped.of_steps[read], len(grouped.names)
    predicts_once = TARGETS[network.target].predicts_once
    states = tuple(str(number) for number in range(automaton.n_states))
    kind_seed = partial(stream_seed, seed, "links")
    by_kind = {
        "symbol": (
            dataset.alphabet.symbols,
            associations_of_steps(
                sequences.symbols, changes, len(dataset.alphabet), seed=kind_seed("symbol")
            ),
        ),
        "state": (
            states,
            associations_of_steps(
                automaton.trace(sequences), state, len(states), seed=kind_seed("state")
            ),
        ),
        "class": (
            grouped.names,
            associations_of_ends(of_steps[ends], state[ends], count, seed=kind_seed("class"))
            if predicts_once
            else associations_of_steps(of_steps, state, count, seed=kind_seed("class")),
        ),
    }
    groups = _groups(state)
    fitted = ends if predicts_once else np.arange(stop)
    alone = _predicts_alone(
        state[fitted],
        labels_of_steps(validation)[read][fitted],
        network,
        numbers,
        dataset.splits["test"],
        stream_seed(seed, "trees"),
    )

    def describe(at: int) -> Unit:
        associations = tuple(_supported(by_kind, at))
        order = np.argsort(state[:, at], kind="stable")
        number = int(numbers[at])
        note = notes.get(number)
        return Unit(
            number=number,
            group=int(groups[at]),
            moves=float(moves[at]),
            highest=_contexts(order[::-1], sequences, dataset.alphabet),
            lowest=_contexts(order, sequences, dataset.alphabet),
            associations=associations,
            alone=float(alone[at]),
            sentence=_sentence(associations, float(alone[at]), network),
            note=note,
            verdict=None
            if note is None
            else judge(note, grouped.names, partial(_find, by_kind, at)),
        )

    return tuple(describe(at) for at in range(len(numbers)))


def _supported(by_kind: ByKind, number: int) -> Iterator[Association]:
    """The associations of a unit that the test supports, kind by kind, the largest effect first."""
    for kind, (names, associations) in by_kind.items():
        rows = np.flatnonzero(associations.p_value[:, number] < LEVEL)
        effects = np.abs(associations.effect[rows, number])
        for row in rows[np.argsort(-effects, kind="stable")]:
            yield _association(kind, names[row], associations, (row, number))


def _find(by_kind: ByKind, number: int, kind: str, name: str) -> Association | None:
    """The association of a unit with one category, or None if there is no such category."""
    names, associations = by_kind[kind]
    if name not in names:
        return None
    return _association(kind, name, associations, (names.index(name), number))


def _association(
    kind: str, name: str, associations: Associations, index: tuple[int, int]
) -> Association:
    return Association(
        kind=kind,
        name=name,
        correlation=float(associations.correlation[index]),
        effect=float(associations.effect[index]),
        p_value=float(associations.p_value[index]),
    )


def _sentence(associations: Sequence[Association], alone: float, network: Network) -> str | None:
    """The associations of a unit in words, or None if there are none."""
    parts = []
    for kind, most in NAMED.items():
        for direction in DIRECTIONS[kind]:
            names = [
                association.name
                for association in associations
                if association.kind == kind and str(association) == direction
            ][:most]
            if names and kind == "symbol":
                parts.append(f"{direction} on {', '.join(f'“{name}”' for name in names)}")
            elif names and kind == "state":
                plural = "s" if len(names) > 1 else ""
                parts.append(f"{direction} in state{plural} {' and '.join(names)}")
            elif names:
                parts.append(f"{direction} {_where(names[0], network)}; {_alone(alone, network)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else None


def _where(name: str, network: Network) -> str:
    """Where sequences are of a class, or steps in a third of the numbers."""
    target = TARGETS[network.target]
    if target.is_numeric:
        where = "at the end where" if target.predicts_once else "where"
        return f"{where} {network.classes[0]} is {name}"
    if target.predicts_once:
        return f"at the end of {name} ones"
    return f"before “{name}”" if target.is_distribution else f"where the label is {name}"


def _alone(alone: float, network: Network) -> str:
    """What a unit predicts alone."""
    target = TARGETS[network.target]
    if target.is_numeric:
        return f"alone it predicts {network.classes[0]} of the test set with R² {alone:.2f}"
    does = "classifies" if target.predicts_once else "predicts"
    return f"alone it {does} {alone:.0%} of the test set correctly"


def _contexts(
    order: Int[np.ndarray, " P"], sequences: Sequences, alphabet: Alphabet
) -> tuple[str, ...]:
    """The last symbols read at the first steps of an order, from different sequences and without
    duplicates."""
    rows: dict[str, int] = {}
    for step in order[:MAX_EXAMINED]:
        row = int(np.searchsorted(sequences.offsets, step, side="right")) - 1
        first = max(int(sequences.offsets[row]), int(step) - CONTEXT)
        text = alphabet.join(alphabet[symbol] for symbol in sequences.symbols[first : step + 1])
        if first > sequences.offsets[row]:
            text = f"…{'' if alphabet.has_characters else ' '}{text}"
        if row not in rows.values():
            rows.setdefault(text, row)
        if len(rows) == SHOWN:
            break
    return tuple(rows)


def _groups(state: Float[np.ndarray, "P H"]) -> Int[np.ndarray, " H"]:
    """The group of each unit, numbered in the order of their first units. A unit that never changes
    is a group of its own."""
    if state.shape[1] == 1:
        return np.zeros(1, np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = np.clip(1 - np.abs(np.nan_to_num(np.corrcoef(state, rowvar=False))), 0, 1)
    np.fill_diagonal(distances, 0)
    groups = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - ALIKE, metric="precomputed", linkage="average"
    ).fit_predict(distances)
    _, first = np.unique(groups, return_index=True)
    return np.asarray(np.argsort(np.argsort(first))[groups])


def _predicts_alone(
    values: Float[np.ndarray, "K H"],
    labels: Shaped[np.ndarray, "K *C"],
    network: Network,
    numbers: Int[np.ndarray, " H"],
    test: Split,
    seed: int,
) -> Float[np.ndarray, " H"]:
    """The accuracy at the positions of the test split of a decision tree on each unit's value
    there, of one leaf for each class; or R² for the first number, of `MAX_LEAVES` leaves."""
    target = TARGETS[network.target]
    if not target.predicts_once:
        count = int(np.searchsorted(test.sequences.offsets[1:], MAX_STEPS, side="right"))
        test = test.select(np.arange(max(1, min(count, len(test)))))
    tested = np.zeros((test.positions.count, len(numbers)), np.float32)
    for rows, read, lengths in length_batches(test.sequences, network.device):
        states = network.forward_pass(read, lengths).states[0][None]
        at_positions = target.take(states, lengths)[0].cpu().numpy()[..., numbers]
        test.positions.fill(tested, rows, at_positions)
    true: Shaped[np.ndarray, " M"] = test.labels
    tree: Any = DecisionTreeClassifier(
        max_leaf_nodes=min(MAX_LEAVES, max(2, len(network.classes))), random_state=seed
    )
    if target.is_numeric:
        labels, true = labels[:, 0], test.labels[:, 0]
        tree = DecisionTreeRegressor(max_leaf_nodes=MAX_LEAVES, random_state=seed)
    return np.array(
        [
            tree.fit(trained, labels).score(column, true)
            for trained, column in zip(values.T[..., None], tested.T[..., None], strict=True)
        ]
    )
