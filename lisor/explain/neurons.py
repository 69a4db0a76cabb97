"""What each hidden unit of a network does: what drives it, what it stands for, and a plain sentence where evidence
supports one.

Shapes: P steps, N sequences, H hidden units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import AgglomerativeClustering
from sklearn.tree import DecisionTreeClassifier

from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.explain.annotations import judge
from lisor.explain.evidence import LEVEL, Link, Links, links_of_ends, links_of_steps
from lisor.fsa.automaton import Automaton
from lisor.randomness import stream_seed
from lisor.rnn.classifier import TrainedModel, last_of, length_batches
from lisor.rnn.hidden_states import Points

MOST_STEPS = 50_000
"""Of more, the first are looked at, as whole sequences."""

SHOWN = 3
"""Contexts of a unit's highest and of its lowest values."""

MOST_LOOKED = 1000
"""Steps among which they are sought."""

CONTEXT = 6
"""Symbols that are shown before the one that a unit stands at."""

NAMED = {"symbol": 4, "state": 2, "class": 1}
"""Things of each kind that a sentence names as high, and as low."""

WAYS = {"symbol": ("rises", "falls"), "state": ("high", "low"), "class": ("high",)}
"""What a sentence says of things of each kind: a unit is high at the end of some class where it is low for others."""

ALIKE = 0.5
"""Units make a group where they correlate so strongly on the average, whatever the sign."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One hidden unit.

    `group` numbers the units that move together, `moves` is the mean |h_t - h_(t-1)|, `highest` and `lowest` are the
    contexts of its extreme values, each ending with the symbol just read. `links` are those that the permutation test
    lets stand. `alone` is the accuracy on the test split of a decision tree on the unit's last value, one leaf a class.
    `sentence` says the links in words; `verdict` is what the evidence says of a person's `note`."""

    number: int
    group: int
    moves: float
    highest: tuple[str, ...]
    lowest: tuple[str, ...]
    links: tuple[Link, ...]
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
    stop = int(starts[starts <= MOST_STEPS][-1]) if len(points.step) > MOST_STEPS else len(points.step)
    state, symbol, starts = points.state[:stop], points.symbol[:stop], starts[starts < stop]
    walked = Sequences(symbols=symbol, offsets=np.append(starts, stop))
    changes = np.diff(state, axis=0, prepend=0)
    changes[starts] = state[starts]  # every network begins at zeros
    ends = walked.offsets[1:] - 1
    split = dataset.splits["validation"]
    labels = split.labels[points.sequence[ends]]
    states = tuple(str(number) for number in range(automaton.n_states))
    links_seed = partial(stream_seed, seed, "links")
    symbols = links_of_steps(symbol, changes, len(dataset.vocabulary), seed=links_seed("symbol"))
    found = {
        "symbol": (dataset.vocabulary, symbols),
        "state": (states, links_of_steps(automaton.trace(walked), state, len(states), seed=links_seed("state"))),
        "class": (dataset.classes, links_of_ends(labels, state[ends], len(dataset.classes), seed=links_seed("class"))),
    }
    groups, moves = _groups(state), np.abs(changes).mean(axis=0)
    alone = _accuracy_alone(state[ends], labels, model, dataset.splits["test"], stream_seed(seed, "trees"))
    between = "" if all(len(name) == 1 for name in dataset.vocabulary) else " "
    contexts = partial(_contexts, walked=walked, vocabulary=dataset.vocabulary, between=between)

    def describe(number: int) -> Unit:
        links = [
            _link(kind, *things, row, number) for kind, things in found.items() for row in _strongest(things[1], number)
        ]
        order = np.argsort(state[:, number], kind="stable")
        note = notes.get(number)
        return Unit(
            number=number,
            group=int(groups[number]),
            moves=float(moves[number]),
            highest=contexts(order[::-1]),
            lowest=contexts(order),
            links=tuple(links),
            alone=float(alone[number]),
            sentence=_sentence(links, float(alone[number])),
            note=note,
            verdict=None if note is None else judge(note, dataset.classes, partial(_find, found, number)),
        )

    return tuple(describe(number) for number in range(state.shape[1]))


def _strongest(links: Links, number: int) -> Sequence[int]:
    """The things whose links to a unit are findings, those of the largest effect first."""
    real = np.flatnonzero(links.p_value[:, number] < LEVEL)
    order: list[int] = real[np.argsort(-np.abs(links.effect[real, number]), kind="stable")].tolist()
    return order


def _link(kind: str, names: Sequence[str], links: Links, row: int, number: int) -> Link:
    return Link(
        kind=kind,
        name=names[row],
        correlation=float(links.correlation[row, number]),
        effect=float(links.effect[row, number]),
        p_value=float(links.p_value[row, number]),
    )


def _find(found: Mapping[str, tuple[Sequence[str], Links]], number: int, kind: str, name: str) -> Link | None:
    """The link of a unit to one thing; None where there is no such thing."""
    names, links = found[kind]
    return _link(kind, names, links, list(names).index(name), number) if name in names else None


def _sentence(links: Sequence[Link], alone: float) -> str | None:
    """The links of a unit in plain words; None where there is none."""
    parts = []
    for kind, most in NAMED.items():
        for way in WAYS[kind]:
            names = [link.name for link in links if link.kind == kind and str(link) == way][:most]
            if names and kind == "symbol":
                parts.append(f"{way} on {', '.join(f'“{name}”' for name in names)}")
            elif names and kind == "state":
                parts.append(f"{way} in state{'s' if len(names) > 1 else ''} {' and '.join(names)}")
            elif names:
                parts.append(f"{way} at the end of {names[0]} ones; alone it tells {alone:.0%} of the test set right")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else None


def _contexts(
    order: Int[np.ndarray, " P"], *, walked: Sequences, vocabulary: Sequence[str], between: str
) -> tuple[str, ...]:
    """What was read up to the first few steps of an order, one of each sequence and no two alike."""
    found: dict[str, int] = {}
    for place in order[:MOST_LOOKED]:
        row = int(np.searchsorted(walked.offsets, place, side="right")) - 1
        first = max(int(walked.offsets[row]), int(place) - CONTEXT)
        text = between.join(vocabulary[symbol] for symbol in walked.symbols[first : place + 1])
        text = text if first == walked.offsets[row] else f"…{between}{text}"
        if row not in found.values():
            found.setdefault(text, row)
        if len(found) == SHOWN:
            break
    return tuple(found)


def _groups(state: Float[np.ndarray, "P H"]) -> Int[np.ndarray, " H"]:
    """The group of each unit, numbered in the order of their first units; a unit that never moves is alone."""
    if state.shape[1] == 1:
        return np.zeros(1, np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.clip(1 - np.abs(np.nan_to_num(np.corrcoef(state, rowvar=False))), 0, 1)
    np.fill_diagonal(apart, 0)
    groups = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - ALIKE, metric="precomputed", linkage="average"
    ).fit_predict(apart)
    _, first = np.unique(groups, return_index=True)
    numbers: Int[np.ndarray, " H"] = np.argsort(np.argsort(first))[groups]
    return numbers


def _accuracy_alone(
    ends: Float[np.ndarray, "N H"], labels: Int[np.ndarray, " N"], model: TrainedModel, test: Split, seed: int
) -> Float[np.ndarray, " H"]:
    """The accuracy on the test split of a decision tree on each unit's last value, of one leaf for each class."""
    last = np.zeros((len(test), model.architecture.hidden_size), np.float32)
    for rows, symbols, lengths in length_batches(test.sequences, model.device):
        last[rows] = last_of(model.network.hidden_states(symbols), lengths)[0].cpu().numpy()
    found = []
    for own, asked in zip(ends.T[..., None], last.T[..., None], strict=True):
        tree = DecisionTreeClassifier(max_leaf_nodes=max(2, len(model.classes)), random_state=seed).fit(own, labels)
        found.append(float((tree.predict(asked) == test.labels).mean()))
    return np.array(found)
