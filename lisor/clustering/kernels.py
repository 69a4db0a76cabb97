"""Inner loops over points and the centers of their clusters, compiled.

They hold no lock, so that threads can run them side by side. Arguments are not checked: callers see
to it that every cluster exists.

Shapes: N sequences, P points of all of them together, K centers, H numbers of a point, T points of
a tile, B points and M sequences of a chunk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

ROUNDING = 1e-5
"""How wrong a squared distance made of float32 products may be, as a share of the squared norms."""

TILE = 64
"""Points whose nearest centers are searched side by side."""


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def _add(
    points: Float[np.ndarray, "P H"],
    point: int,
    weight: float,
    sums: Float[np.ndarray, "K H"],
    center: int,
) -> None:
    for unit in range(points.shape[1]):
        sums[center, unit] += weight * points[point, unit]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_moments(
    points: Float[np.ndarray, "P H"],
    weights: Float[np.ndarray, " P"],
    moments: Float[np.ndarray, "3 H"],
) -> None:
    """Add to `moments` of each column the sum of the points, that of their squares, and that of
    their squares by weight."""
    for point in range(len(points)):
        for unit in range(points.shape[1]):
            number = np.float64(points[point, unit])
            moments[0, unit] += number
            moments[1, unit] += number * number
            moments[2, unit] += weights[point] * (number * number)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def least_of_each(
    numbers: Float[np.ndarray, "P K"],
    added: Float[np.ndarray, " K"],
    indices: Int[np.ndarray, " P"],
    least: Float[np.ndarray, " P"],
) -> None:
    """Write the least of each row of `numbers`, `added` to them, into `least`, and its index, the
    lower one of a tie, into `indices`. In a row without a number below infinity that is the last
    one."""
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
        index = 0
        while index + 1 < len(added) and numbers[row, index] + added[index] != best:
            index += 1
        indices[row], least[row] = index, best


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def in_doubt(
    drifts: Float[np.ndarray, " K"],
    labels: Int[np.ndarray, " P"],
    slack: Float[np.ndarray, " P"],
    rows: Int[np.ndarray, " P"],
) -> int:
    """Write the points that may have another nearest center by now into `rows`, and return how many
    they are.

    `slack` is by how much the nearest center of each point is at least nearer than the next one; it
    shrinks by the drift of that center (Hamerly, 2010, "Making k-means even faster")."""
    count = 0
    for point in range(len(labels)):
        slack[point] -= drifts[labels[point]]
        if slack[point] <= 0:
            rows[count] = point
            count += 1
    return count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _two_nearest(
    scores: Float[np.ndarray, "K T"],
    nearest: Int[np.ndarray, " T"],
    least: Float[np.ndarray, " T"],
    second: Float[np.ndarray, " T"],
) -> None:
    """Write the row of the least number of each column, the lower one of a tie, that number and the
    next one."""
    nearest[:], least[:], second[:] = 0, scores[0], np.inf
    for center in range(1, len(scores)):
        for column in range(
            scores.shape[1]
        ):  # without branches, so that many columns are one instruction
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
    """Write the nearest center of each point of `rows`, the lower one of a tie, into `labels`, and
    into `slack` by how much it is nearer than the next one, less what rounding may have added.

    `products` are those of these points and the centers, `half_norms` half the squared norms of the
    centers. Of points whose label changes, weight and weighted numbers are moved in `counts` and
    `sums` from the old center, if the label was not negative, to the new one."""
    longest = 2.0 * half_norms.max()
    scores = np.zeros((len(half_norms), TILE), products.dtype)
    nearest = np.empty(TILE, np.int32)
    least, second = np.empty(TILE, products.dtype), np.empty(TILE, products.dtype)
    norms, apart = np.zeros(TILE), np.empty(TILE)
    for first in range(0, len(rows), TILE):
        tile, tiled = products[first : first + TILE], rows[first : first + TILE]
        for center in range(len(half_norms)):
            for column in range(len(tiled)):
                scores[center, column] = half_norms[center] - tile[column, center]
        _two_nearest(scores, nearest, least, second)
        for column in range(len(tiled)):
            norms[column] = squared_norms[tiled[column]]
        for column in range(TILE):
            near, far = norms[column] + 2.0 * least[column], norms[column] + 2.0 * second[column]
            both = np.sqrt(near if near > 0 else 0.0) + np.sqrt(far if far > 0 else 0.0)
            apart[column] = (
                (far - near - ROUNDING * (norms[column] + longest)) / both if both > 0 else 0.0
            )
        for column in range(len(tiled)):
            point, label = tiled[column], nearest[column]
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
    """Take each point whose cluster has changed out of the sum of the one `before`, if any, into
    that of the one `after`."""
    for point in range(len(points)):
        if before[point] != after[point]:
            _add(points, point, 1.0, sums, after[point])
            if before[point] >= 0:
                _add(points, point, -1.0, sums, before[point])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _center_positions(
    first: int,
    last: int,
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    positions: Float[np.ndarray, " K"],
) -> None:
    """Fill `positions` with the position of each center in the sequence whose points stand from
    `first` to `last`.

    It is the sum of the `steps` of its members there, divided by its count. A member of -1 belongs
    to no center."""
    positions[:] = 0
    for point in range(first, last):
        if members[point] >= 0:
            positions[members[point]] += steps[point]
    positions /= counts


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def move_positions(
    edges: Int[np.ndarray, " N+1"],
    steps: Float[np.ndarray, " P"],
    members: Int[np.ndarray, " P"],
    counts: Float[np.ndarray, " K"],
    before: Int[np.ndarray, " P"],
    counts_before: Float[np.ndarray, " K"],
    norms: Float[np.ndarray, " K"],
    shifts: Float[np.ndarray, " K"],
) -> None:
    """Fill `norms` with the squared norms of the centers' positions, `shifts` with how far these
    have moved, squared.

    The points of sequence s stand from `edges[s]` on; `before` and `counts_before` are members and
    counts of the centers before."""
    now, then = np.empty(len(counts)), np.empty(len(counts))
    norms[:] = 0
    shifts[:] = 0
    for sequence in range(len(edges) - 1):
        _center_positions(edges[sequence], edges[sequence + 1], steps, members, counts, now)
        _center_positions(edges[sequence], edges[sequence + 1], steps, before, counts_before, then)
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
    positions = np.empty(len(counts))
    row = positions.reshape(1, len(positions))
    for sequence in range(len(edges) - 1):
        _center_positions(edges[sequence], edges[sequence + 1], steps, members, counts, positions)
        for center in range(len(counts)):
            if positions[center] != 0:
                _add(row, 0, positions[center], products, center)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def label_distances(
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

    `squared_norms` and `norms` are those of points and centers with their positions, `hidden` the
    centers without."""
    positions = np.empty(len(counts))
    for sequence in range(len(edges) - 1):
        _center_positions(edges[sequence], edges[sequence + 1], steps, members, counts, positions)
        for point in range(edges[sequence], edges[sequence + 1]):
            distances[point] = _squared_distance(
                point, points, squared_norms, hidden, norms, steps, positions, labels[point]
            )


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _squared_distance(
    point: int,
    points: Float[np.ndarray, "P H"],
    squared_norms: Float[np.ndarray, " P"],
    hidden: Float[np.ndarray, "K H"],
    norms: Float[np.ndarray, " K"],
    steps: Float[np.ndarray, " P"],
    positions: Float[np.ndarray, " K"],
    center: int,
) -> float:
    product = steps[point] * positions[center]
    for unit in range(points.shape[1]):
        product += points[point, unit] * hidden[center, unit]
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
    undecided: Int[np.ndarray, " B"],
) -> int:
    """Fill `undecided` with the points of some sequences whose nearest center may be another than
    their label; how many.

    The distance to the label's center is at most `upper`, that to every other at least `lower`;
    both are updated, now that each center has moved by its entry of `shifts` (Hamerly,
    2010). A label of -1 is none yet."""
    farthest = np.argmax(shifts)
    most, next_most = shifts[farthest], 0.0
    for center in range(len(shifts)):
        if center != farthest:
            next_most = max(next_most, shifts[center])
    positions, count = np.empty(len(counts)), 0
    for sequence in range(len(edges) - 1):
        known = False
        for point in range(edges[sequence], edges[sequence + 1]):
            label = labels[point]
            if label >= 0:
                upper[point] += shifts[label]
                lower[point] -= next_most if label == farthest else most
                if upper[point] + margin < lower[point]:
                    continue
                if not known:
                    _center_positions(
                        edges[sequence], edges[sequence + 1], steps, members, counts, positions
                    )
                    known = True
                upper[point] = np.sqrt(
                    _squared_distance(
                        point, points, squared_norms, hidden, norms, steps, positions, label
                    )
                )
                if upper[point] + margin < lower[point]:
                    continue
            undecided[count] = point
            count += 1
    return count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def nearest_with_positions(
    undecided: Int[np.ndarray, " B"],
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
    """Give the points `undecided` in some sequences the label of their nearest center, the lower
    one of a tie, and their distances to it and to the second nearest as bounds.

    `products` are those of the hidden states of these points with the centers."""
    positions, sequence, known = np.empty(len(counts)), 0, -1
    for row in range(len(undecided)):
        point = undecided[row]
        while point >= edges[sequence + 1]:
            sequence += 1
        if known != sequence:
            _center_positions(
                edges[sequence], edges[sequence + 1], steps, members, counts, positions
            )
            known = sequence
        nearest, least, second = -1, np.inf, np.inf
        for center in range(len(counts)):
            score = norms[center] - 2 * (products[row, center] + steps[point] * positions[center])
            if score < least:
                nearest, least, second = center, score, least
            elif score < second:
                second = score
        labels[point] = nearest
        upper[point] = np.sqrt(max(0.0, squared_norms[point] + least))
        lower[point] = np.sqrt(max(0.0, squared_norms[point] + second))
