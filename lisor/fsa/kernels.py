"""Inner loops, compiled: over the symbols of words, and over points and the centers of their clusters.

They hold no lock, so that threads can run them side by side. Arguments are not checked: callers see to it that every
symbol, state and cluster exists.

Shapes: Q states, S symbols, N words or sequences, P symbols or points of all of them together, E entries, C classes,
K centers, H numbers of a point, B points and M sequences of a chunk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def last_states(
    table: Int[np.ndarray, " Q*S"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    last: Int[np.ndarray, " N"],
) -> None:
    """Fill `last` with S times the state in which each word ends; `table` and `start` hold S times each state too."""
    for word in range(len(last)):
        state = start
        for place in range(offsets[word], offsets[word + 1]):
            state = table[state + symbols[place]]
        last[word] = state


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def all_states(
    table: Int[np.ndarray, "Q S"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    trace: Int[np.ndarray, " P"],
) -> None:
    """Fill `trace` with the state after each symbol."""
    for word in range(len(offsets) - 1):
        state = start
        for place in range(offsets[word], offsets[word + 1]):
            state = table[state, symbols[place]]
            trace[place] = state


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def carry(
    first: Int[np.ndarray, " Q*S+1"],
    target: Int[np.ndarray, " E"],
    share: Float[np.ndarray, " E"],
    answers: Float[np.ndarray, "Q C"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    answer: Float[np.ndarray, "N C"],
) -> None:
    """Add to `answer` the answers of the states in which each word ends, each by how much of the word ends there.

    The targets of state q and symbol a, and how much of q goes to each, are the entries from `first[q·S + a]` on."""
    states = len(answers)
    width = (len(first) - 1) // states
    now, later = np.zeros(states), np.zeros(states)
    for word in range(len(offsets) - 1):
        now[:] = 0
        now[start] = 1
        for place in range(offsets[word], offsets[word + 1]):
            later[:] = 0
            for state in range(states):
                if now[state] > 0:
                    pair = state * width + symbols[place]
                    for entry in range(first[pair], first[pair + 1]):
                        later[target[entry]] += now[state] * share[entry]
            now, later = later, now
        for state in range(states):
            answer[word] += now[state] * answers[state]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def reassign(
    products: Float[np.ndarray, "P K"],
    half_norms: Float[np.ndarray, " K"],
    points: Float[np.ndarray, "P H"],
    weights: Float[np.ndarray, " P"],
    labels: Int[np.ndarray, " P"],
    sums: Float[np.ndarray, "K H"],
    counts: Float[np.ndarray, " K"],
) -> None:
    """Write the nearest center of each point, the lower one of a tie, into `labels`.

    `products` are those of points and centers, `half_norms` half the squared norms of the centers. Of points whose
    label changes, weight and weighted numbers are moved in `counts` and `sums` from the old center, if the label was
    not negative, to the new one."""
    for point in range(len(points)):
        nearest, least = 0, half_norms[0] - products[point, 0]
        for center in range(1, len(half_norms)):
            score = half_norms[center] - products[point, center]
            if score < least:
                nearest, least = center, score
        before = labels[point]
        if nearest == before:
            continue
        labels[point] = nearest
        counts[nearest] += weights[point]
        for place in range(points.shape[1]):
            sums[nearest, place] += weights[point] * points[point, place]
        if before >= 0:
            counts[before] -= weights[point]
            for place in range(points.shape[1]):
                sums[before, place] -= weights[point] * points[point, place]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def position_centers(
    edges: Int[np.ndarray, " N+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    before: Int[np.ndarray, " P"],
    counts_before: Float[np.ndarray, " K"],
    norms: Float[np.ndarray, " K"],
) -> float:
    """Fill `norms` with the squared norms of the centers' positions; how far these have moved, squared and summed.

    The position of center c in sequence s is the sum of the `steps` of its members there, which stand from `edges[s]`
    on, divided by its count. A member of -1 belongs to no center."""
    now, then = np.zeros(len(counts)), np.zeros(len(counts))
    norms[:] = 0
    moved = 0.0
    for sequence in range(len(edges) - 1):
        now[:] = 0
        then[:] = 0
        for point in range(edges[sequence], edges[sequence + 1]):
            if members[point] >= 0:
                now[members[point]] += steps[point]
            if before[point] >= 0:
                then[before[point]] += steps[point]
        for center in range(len(counts)):
            place, place_before = now[center] / counts[center], then[center] / counts_before[center]
            norms[center] += place * place
            moved += (place - place_before) ** 2
    return moved


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def nearest_with_positions(
    products: Float[np.ndarray, "B K"],
    norms: Float[np.ndarray, " K"],
    edges: Int[np.ndarray, " M+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    scores: Float[np.ndarray, " P"],
    keep: bool,
) -> None:
    """Fill `labels` and `scores` for the points of some sequences: the nearest center, the lower one of a tie, or the
    one it has if labels are to `keep`, and the squared distance to it less the point's own squared norm.

    `products` are those of the hidden states of these points alone with the centers, `norms` the squared norms of
    the centers with their positions, which follow from `members` and `counts` as in `position_centers`."""
    means = np.zeros(len(counts))
    for sequence in range(len(edges) - 1):
        means[:] = 0
        for point in range(edges[sequence], edges[sequence + 1]):
            if members[point] >= 0:
                means[members[point]] += steps[point]
        means /= counts
        for point in range(edges[sequence], edges[sequence + 1]):
            row, step = point - edges[0], steps[point]
            nearest = labels[point] if keep else 0
            least = norms[nearest] - 2 * (products[row, nearest] + step * means[nearest])
            for center in range(len(counts) if keep else 1, len(counts)):
                score = norms[center] - 2 * (products[row, center] + step * means[center])
                if score < least:
                    nearest, least = center, score
            labels[point] = nearest
            scores[point] = least


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def move_members(
    points: Float[np.ndarray, "P H"],
    before: Int[np.ndarray, " P"],
    after: Int[np.ndarray, " P"],
    sums: Float[np.ndarray, "K H"],
) -> None:
    """Take each point whose cluster has changed out of the sum of the one `before`, if any, into that of the one
    `after`."""
    for point in range(len(points)):
        if before[point] != after[point]:
            for place in range(points.shape[1]):
                sums[after[point], place] += points[point, place]
            if before[point] >= 0:
                for place in range(points.shape[1]):
                    sums[before[point], place] -= points[point, place]
