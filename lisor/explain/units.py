"""What each hidden unit of a network does: its associations, extreme contexts, accuracy and group.

Shapes: P steps, N sequences, H hidden units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import AgglomerativeClustering
from sklearn.tree import DecisionTreeClassifier

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
from lisor.networks.batches import length_batches
from lisor.networks.classifier import last_of
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream_seed
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

ALIKE = 0.5
"""The mean absolute correlation of units from which they form a group."""


ByKind = Mapping[str, tuple[tuple[str, ...], Associations]]
"""The names of each kind's categories, and their associations with all units."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One hidden unit.

    `group` numbers the units that correlate, `moves` is the mean |h_t - h_(t-1)|. `highest` and
    `lowest` are the contexts of its extreme values, each ending with the symbol just read.
    `associations` are those that the permutation test supports. `alone` is the accuracy on the test
    split of a decision tree on the unit's last value, one leaf for each class. `sentence` puts the
    associations in words. `verdict` is the evidence on a person's `note`."""

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
    model: TrainedModel,
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
    state = points.state[:stop]
    sequences = Sequences(symbols=points.symbol[:stop], offsets=np.append(starts, stop))
    changes = np.diff(state, axis=0, prepend=0)
    changes[starts] = state[starts]  # every network begins at zeros
    ends = sequences.offsets[1:] - 1
    labels = dataset.splits["validation"].labels[points.sequence[ends]]
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
            dataset.classes,
            associations_of_ends(
                labels, state[ends], len(dataset.classes), seed=kind_seed("class")
            ),
        ),
    }
    groups = _groups(state)
    moves = np.abs(changes).mean(axis=0)
    alone = _accuracy_alone(
        state[ends], labels, model, dataset.splits["test"], stream_seed(seed, "trees")
    )

    def describe(number: int) -> Unit:
        associations = tuple(_supported(by_kind, number))
        order = np.argsort(state[:, number], kind="stable")
        note = notes.get(number)
        return Unit(
            number=number,
            group=int(groups[number]),
            moves=float(moves[number]),
            highest=_contexts(order[::-1], sequences, dataset.alphabet),
            lowest=_contexts(order, sequences, dataset.alphabet),
            associations=associations,
            alone=float(alone[number]),
            sentence=_sentence(associations, float(alone[number])),
            note=note,
            verdict=None
            if note is None
            else judge(note, dataset.classes, partial(_find, by_kind, number)),
        )

    return tuple(describe(number) for number in range(state.shape[1]))


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


def _sentence(associations: Sequence[Association], alone: float) -> str | None:
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
                parts.append(
                    f"{direction} at the end of {names[0]} ones; alone it classifies {alone:.0%} "
                    "of the test set correctly"
                )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else None


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


def _accuracy_alone(
    ends: Float[np.ndarray, "N H"],
    labels: Int[np.ndarray, " N"],
    model: TrainedModel,
    test: Split,
    seed: int,
) -> Float[np.ndarray, " H"]:
    """The accuracy on the test split of a decision tree on each unit's last value, of one leaf for
    each class."""
    last = np.zeros((len(test), model.architecture.hidden_size), np.float32)
    for rows, symbols, lengths in length_batches(test.sequences, model.device):
        last[rows] = last_of(model.network.hidden_states(symbols), lengths)[0].cpu().numpy()
    tree = DecisionTreeClassifier(max_leaf_nodes=max(2, len(model.classes)), random_state=seed)
    return np.array(
        [
            (tree.fit(trained, labels).predict(tested) == test.labels).mean()
            for trained, tested in zip(ends.T[..., None], last.T[..., None], strict=True)
        ]
    )
