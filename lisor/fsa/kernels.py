"""Inner loops, compiled: over the symbols of words, and over points and the centers of their clusters.

They hold no lock, so that threads can run them side by side. Arguments are not checked: callers see to it that every
symbol, state and cluster exists.

Shapes: Q states, S symbols, N words or sequences, P symbols or points of all of them together, E entries, C classes,
K centers, H numbers of a point, T points of a tile, B points and M sequences of a chunk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

ROUNDING = 1e-5
"""How wrong a squared distance made of float32 products may be, as a share of the squared norms."""

TILE = 64
"""Points whose nearest centers are searched side by side."""


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


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def _add(
    points: Float[np.ndarray, "P H"], point: int, weight: float, sums: Float[np.ndarray, "K H"], center: int
) -> None:
    for place in range(points.shape[1]):
        sums[center, place] += weight * points[point, place]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_moments(
    points: Float[np.ndarray, "P H"], weights: Float[np.ndarray, " P"], moments: Float[np.ndarray, "3 H"]
) -> None:
    """Add to `moments` of each column the sum of the points, that of their squares, and that of their squares by
    weight."""
    for point in range(len(points)):
        for place in range(points.shape[1]):
            number = np.float64(points[point, place])
            moments[0, place] += number
            moments[1, place] += number * number
            moments[2, place] += weights[point] * (number * number)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def least_of_each(
    numbers: Float[np.ndarray, "P K"],
    added: Float[np.ndarray, " K"],
    places: Int[np.ndarray, " P"],
    least: Float[np.ndarray, " P"],
) -> None:
    """Write the least of each row of `numbers`, `added` to them, into `least`, and its place, the lower one of a tie,
    into `places`. In a row without a number below infinity that is the last place."""
    lanes = np.empty(8, numbers.dtype)  # eight minima side by side, which is one instruction
    whole = len(added) // 8 * 8
    for row in range(len(numbers)):
        for lane in range(8):
            lanes[lane] = np.inf
        for first in range(0, whole, 8):
            for lane in range(8):
                number = numbers[row, first + lane] + added[first + lane]
                lanes[lane] = number if number < lanes[lane] else lanes[lane]
        best = lanes[0]
        for lane in range(1, 8):
            best = lanes[lane] if lanes[lane] < best else best
        for column in range(whole, len(added)):
            number = numbers[row, column] + added[column]
            best = number if number < best else best
        place = 0
        while place + 1 < len(added) and numbers[row, place] + added[place] != best:
            place += 1
        places[row], least[row] = place, best


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def in_doubt(
    drifts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    slack: Float[np.ndarray, " P"],
    rows: Int[np.ndarray, " P"],
) -> int:
    """Write the points that may have another nearest center by now into `rows`, and return how many they are.

    `slack` is by how much the nearest center of each point is at least nearer than the next one; it shrinks by the
    drift of that center (Hamerly, 2010, "Making k-means even faster")."""
    found = 0
    for point in range(len(labels)):
        slack[point] -= drifts[labels[point]]
        if slack[point] <= 0:
            rows[found] = point
            found += 1
    return found


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _two_nearest(
    scores: Float[np.ndarray, "K T"],
    nearest: Int[np.ndarray, " T"],
    least: Float[np.ndarray, " T"],
    second: Float[np.ndarray, " T"],
) -> None:
    """Write the row of the least number of each column, the lower one of a tie, that number and the next one."""
    nearest[:], least[:], second[:] = 0, scores[0], np.inf
    for center in range(1, len(scores)):
        for column in range(scores.shape[1]):  # without branches, so that many columns are one instruction
            score, best = scores[center, column], least[column]
            other = best if score < best else score
            second[column] = other if other < second[column] else second[column]
            nearest[column] = np.int32(center) if score < best else nearest[column]
            least[column] = score if score < best else best


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def reassign(
    products: Float[np.ndarray, "B K"],
    half_norms: Float[np.ndarray, " K"],
    rows: Int[np.ndarray, " B"],
    points: Float[np.ndarray, "P H"],
    squared_norms: Float[np.ndarray, " P"],
    weights: Float[np.ndarray, " P"],
    labels: Int[np.ndarray, " P"],
    slack: Float[np.ndarray, " P"],
    sums: Float[np.ndarray, "K H"],
    counts: Float[np.ndarray, " K"],
) -> None:
    """Write the nearest center of each point of `rows`, the lower one of a tie, into `labels`, and into `slack` by how
    much it is nearer than the next one, less what rounding may have added.

    `products` are those of these points and the centers, `half_norms` half the squared norms of the centers. Of points
    whose label changes, weight and weighted numbers are moved in `counts` and `sums` from the old center, if the label
    was not negative, to the new one."""
    longest = 2.0 * half_norms.max()
    scores = np.zeros((len(half_norms), TILE), products.dtype)
    nearest = np.empty(TILE, np.int32)
    least, second = np.empty(TILE, products.dtype), np.empty(TILE, products.dtype)
    norms, apart = np.zeros(TILE), np.empty(TILE)
    for first in range(0, len(rows), TILE):
        tile, some = products[first : first + TILE], rows[first : first + TILE]
        for center in range(len(half_norms)):
            for column in range(len(some)):
                scores[center, column] = half_norms[center] - tile[column, center]
        _two_nearest(scores, nearest, least, second)
        for column in range(len(some)):
            norms[column] = squared_norms[some[column]]
        for column in range(TILE):
            near, far = norms[column] + 2.0 * least[column], norms[column] + 2.0 * second[column]
            ways = np.sqrt(near if near > 0 else 0.0) + np.sqrt(far if far > 0 else 0.0)
            apart[column] = (far - near - ROUNDING * (norms[column] + longest)) / ways if ways > 0 else 0.0
        for column in range(len(some)):
            point, label = some[column], nearest[column]
            slack[point] = apart[column]
            before, weight = labels[point], weights[point]
            if label == before:
                continue
            labels[point] = label
            counts[label] += weight
            _add(points, point, weight, sums, label)
            if before >= 0:
                counts[before] -= weight
                _add(points, point, -weight, sums, before)


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
            _add(points, point, 1.0, sums, after[point])
            if before[point] >= 0:
                _add(points, point, -1.0, sums, before[point])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_centers(
    first: int,
    last: int,
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    places: Float[np.ndarray, " K"],
) -> None:
    """Fill `places` with the position of each center in the sequence whose points stand from `first` to `last`.

    It is the sum of the `steps` of its members there, divided by its count. A member of -1 belongs to no center."""
    places[:] = 0
    for point in range(first, last):
        if members[point] >= 0:
            places[members[point]] += steps[point]
    places /= counts


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def position_centers(
    edges: Int[np.ndarray, " N+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    before: Int[np.ndarray, " P"],
    counts_before: Float[np.ndarray, " K"],
    norms: Float[np.ndarray, " K"],
    shifts: Float[np.ndarray, " K"],
) -> None:
    """Fill `norms` with the squared norms of the centers' positions, `shifts` with how far these have moved, squared.

    The points of sequence s stand from `edges[s]` on; `before` and `counts_before` are members and counts of the
    centers before."""
    now, then = np.empty(len(counts)), np.empty(len(counts))
    norms[:] = 0
    shifts[:] = 0
    for sequence in range(len(edges) - 1):
        _place_centers(edges[sequence], edges[sequence + 1], steps, members, counts, now)
        _place_centers(edges[sequence], edges[sequence + 1], steps, before, counts_before, then)
        for center in range(len(counts)):
            norms[center] += now[center] * now[center]
            shifts[center] += (now[center] - then[center]) ** 2


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_position_products(
    edges: Int[np.ndarray, " N+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    products: Float[np.ndarray, "K K"],
) -> None:
    """Add to `products` those of the centers' positions with each other."""
    places = np.empty(len(counts))
    row = places.reshape(1, len(places))
    for sequence in range(len(edges) - 1):
        _place_centers(edges[sequence], edges[sequence + 1], steps, members, counts, places)
        for center in range(len(counts)):
            if places[center] != 0:
                _add(row, 0, places[center], products, center)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def own_distances(
    points: Float[np.ndarray, "P H"],
    squared_norms: Float[np.ndarray, " P"],
    hidden: Float[np.ndarray, "K H"],
    norms: Float[np.ndarray, " K"],
    edges: Int[np.ndarray, " N+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    distances: Float[np.ndarray, " P"],
) -> None:
    """Fill `distances` with the squared distance of each point to the center of its label.

    `squared_norms` and `norms` are those of points and centers with their positions, `hidden` the centers without."""
    places = np.empty(len(counts))
    for sequence in range(len(edges) - 1):
        _place_centers(edges[sequence], edges[sequence + 1], steps, members, counts, places)
        for point in range(edges[sequence], edges[sequence + 1]):
            distances[point] = _own(point, points, squared_norms, hidden, norms, steps, places, labels[point])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _own(
    point: int,
    points: Float[np.ndarray, "P H"],
    squared_norms: Float[np.ndarray, " P"],
    hidden: Float[np.ndarray, "K H"],
    norms: Float[np.ndarray, " K"],
    steps: Float[np.ndarray, " P"],
    places: Float[np.ndarray, " K"],
    center: int,
) -> float:
    product = steps[point] * places[center]
    for place in range(points.shape[1]):
        product += points[point, place] * hidden[center, place]
    squared: float = max(0.0, squared_norms[point] + norms[center] - 2 * product)
    return squared


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def find_undecided(
    points: Float[np.ndarray, "P H"],
    squared_norms: Float[np.ndarray, " P"],
    hidden: Float[np.ndarray, "K H"],
    norms: Float[np.ndarray, " K"],
    shifts: Float[np.ndarray, " K"],
    edges: Int[np.ndarray, " M+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    upper: Float[np.ndarray, " P"],
    lower: Float[np.ndarray, " P"],
    margin: float,
    found: Int[np.ndarray, " B"],
) -> int:
    """Fill `found` with the points of some sequences whose nearest center may be another than their label; how many.

    The distance to the label's center is at most `upper`, that to every other at least `lower`; both are brought up to
    date, now that each center has moved by its entry of `shifts` (Hamerly, 2010). A label of -1 is none yet."""
    farthest = np.argmax(shifts)
    most, next_most = shifts[farthest], 0.0
    for center in range(len(shifts)):
        if center != farthest:
            next_most = max(next_most, shifts[center])
    places, count = np.empty(len(counts)), 0
    for sequence in range(len(edges) - 1):
        placed = False
        for point in range(edges[sequence], edges[sequence + 1]):
            label = labels[point]
            if label >= 0:
                upper[point] += shifts[label]
                lower[point] -= next_most if label == farthest else most
                if upper[point] + margin < lower[point]:
                    continue
                if not placed:
                    _place_centers(edges[sequence], edges[sequence + 1], steps, members, counts, places)
                    placed = True
                upper[point] = np.sqrt(_own(point, points, squared_norms, hidden, norms, steps, places, label))
                if upper[point] + margin < lower[point]:
                    continue
            found[count] = point
            count += 1
    return count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def nearest_with_positions(
    found: Int[np.ndarray, " B"],
    products: Float[np.ndarray, "B K"],
    squared_norms: Float[np.ndarray, " P"],
    norms: Float[np.ndarray, " K"],
    edges: Int[np.ndarray, " M+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    upper: Float[np.ndarray, " P"],
    lower: Float[np.ndarray, " P"],
) -> None:
    """Give the points `found` in some sequences the label of their nearest center, the lower one of a tie, and their
    distances to it and to the second nearest as bounds.

    `products` are those of the hidden states of these points with the centers."""
    places, sequence, placed = np.empty(len(counts)), 0, -1
    for row in range(len(found)):
        point = found[row]
        while point >= edges[sequence + 1]:
            sequence += 1
        if placed != sequence:
            _place_centers(edges[sequence], edges[sequence + 1], steps, members, counts, places)
            placed = sequence
        nearest, least, second = -1, np.inf, np.inf
        for center in range(len(counts)):
            score = norms[center] - 2 * (products[row, center] + steps[point] * places[center])
            if score < least:
                nearest, least, second = center, score, least
            elif score < second:
                second = score
        labels[point] = nearest
        upper[point] = np.sqrt(max(0.0, squared_norms[point] + least))
        lower[point] = np.sqrt(max(0.0, squared_norms[point] + second))
