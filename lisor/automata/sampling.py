"""Words of a regular language, drawn by counting paths through its automaton, and near misses.

Shapes: Q states of the automaton, S symbols, C classes, T length of a word, M words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float, Int

from lisor.automata.automaton import Automaton
from lisor.sequences import Sequences

MAX_LISTED = 4096
"""A group of at most this many words is listed rather than drawn from by trial and error."""

MAX_ROUNDS = 20
"""How often words without a near miss are drawn anew."""


def draw(
    automaton: Automaton,
    size: int,
    *,
    lengths: list[int],
    targets: Iterable[int | None],
    exclude: set[bytes],
    rng: np.random.Generator,
) -> Sequences:
    """`size` words in random order, spread evenly over `lengths` and over the classes `targets` of
    each length.

    A target of None stands for all classes, as they come.
    A group of words (one length, one class) smaller than its share is taken whole as often as it
    fits. Words in `exclude` are left out, groups without any other word too."""
    groups = list(_groups(automaton, lengths, list(targets), exclude))
    share = _shares(size, [length for length, _ in groups])
    words: list[Int[np.ndarray, " T"]] = []
    for (length, target), count in zip(groups, share, strict=True):
        words.extend(_draw_group(automaton, length, target, count, exclude, rng))
    return Sequences.from_lists([words[i] for i in rng.permutation(len(words))])


def count_paths(automaton: Automaton, length: int) -> Float[np.ndarray, "length+1 Q C"]:
    """How many words of each length up to `length` lead from each state to a state of each
    class."""
    counts = np.zeros((length + 1, automaton.n_states, len(automaton.classes)))
    counts[0, np.arange(automaton.n_states), automaton.outputs] = 1
    with np.errstate(over="ignore"):  # beyond 10^308 a count is infinite
        for step in range(1, length + 1):
            counts[step] = counts[step - 1][automaton.transitions].sum(axis=1)
    return counts


def sample_words(
    automaton: Automaton, length: int, target: int | None, count: int, rng: np.random.Generator
) -> Int[np.ndarray, "M T"]:
    """`count` words drawn evenly from those of one length that end in class `target` (any class if
    None)."""
    # logarithms, since the counts of long words overflow
    weight = np.empty((length + 1, automaton.n_states))
    weight[0] = 0 if target is None else np.where(automaton.outputs == target, 0, -np.inf)
    for step in range(1, length + 1):
        weight[step] = np.logaddexp.reduce(weight[step - 1][automaton.transitions], axis=1)
    states = np.full(count, automaton.start)
    words = np.empty((count, length), np.int32)
    for step in range(length):
        logs = weight[length - step - 1][automaton.transitions[states]]
        ahead = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
        threshold = rng.random(count) * ahead[:, -1]
        words[:, step] = (threshold[:, None] >= ahead[:, :-1]).sum(axis=1)
        states = automaton.transitions[states, words[:, step]]
    return words


def class_sizes(automaton: Automaton, lengths: list[int]) -> Float[np.ndarray, " C"]:
    """How many words of the given lengths each class has."""
    with np.errstate(over="ignore"):
        paths = count_paths(automaton, max(lengths))[lengths, automaton.start]
        return np.asarray(paths.sum(axis=0))


def near_misses(
    automaton: Automaton,
    size: int,
    *,
    lengths: list[int],
    exclude: set[bytes],
    rng: np.random.Generator,
) -> Sequences:
    """Pairs of words of different classes, one edit apart: an insertion, a deletion or a
    substitution.

    A word of each pair is drawn from all lengths and classes alike; of its edits that change the
    class one is taken, each kind of edit alike. Both words have a length of `lengths`, and neither
    is in `exclude`. `size` words stand in the order of their pairs; there are fewer where the
    language has too few such pairs."""
    words: list[Int[np.ndarray, " T"]] = []
    classes = range(len(automaton.classes))
    for _ in range(MAX_ROUNDS):
        wanted = (size - len(words) + 1) // 2
        if not wanted:
            break
        # some of each length and class, however few are wanted
        many = max(2 * wanted, len(lengths) * len(classes))
        drawn = draw(automaton, many, lengths=lengths, targets=classes, exclude=exclude, rng=rng)
        if not len(drawn):
            break
        bases = [drawn[row] for row in range(len(drawn))]
        outputs = automaton.classify(drawn)
        kinds = [table for base in bases for table in _edits(base, len(automaton.alphabet))]
        sizes = np.concatenate([np.full(len(table), table.shape[1]) for table in kinds])
        edits = Sequences(
            symbols=np.concatenate([table.reshape(-1) for table in kinds]),
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
        )
        borders = np.cumsum([len(table) for table in kinds])[:-1]
        usable = np.split(np.isin(sizes, lengths), borders)
        others = np.split(automaton.classify(edits), borders)
        for row, base in enumerate(bases):
            flipped = [
                kinds[kind][usable[kind] & (others[kind] != outputs[row])]
                for kind in range(3 * row, 3 * row + 3)
            ]
            fresh = ([edit for edit in kind if edit.tobytes() not in exclude] for kind in flipped)
            fitting = [kind for kind in fresh if kind]
            if fitting and len(words) < size:
                chosen = fitting[rng.integers(len(fitting))]
                words += [base, chosen[rng.integers(len(chosen))]]
    return Sequences.from_lists(words[:size])


def _edits(word: Int[np.ndarray, " T"], symbols: int) -> list[Int[np.ndarray, "M T"]]:
    """Every deletion, substitution and insertion of one symbol, each kind as a table of words."""
    length, numbers = len(word), np.arange(symbols, dtype=np.int32)
    deleted = np.broadcast_to(word, (length, length))[~np.eye(length, dtype=bool)].reshape(
        length, max(0, length - 1)
    )
    substituted = np.repeat(word[None], length * symbols, axis=0)
    positions = np.repeat(np.arange(length), symbols)
    substituted[np.arange(length * symbols), positions] = np.tile(numbers, length)
    gaps = np.repeat(np.arange(length + 1), symbols)
    inserted = np.empty((len(gaps), length + 1), np.int32)
    inserted[np.arange(length + 1) != gaps[:, None]] = np.tile(word, len(gaps))
    inserted[np.arange(len(gaps)), gaps] = np.tile(numbers, length + 1)
    return [deleted, substituted, inserted]


def _groups(
    automaton: Automaton, lengths: list[int], targets: list[int | None], exclude: set[bytes]
) -> Iterator[tuple[int, int | None]]:
    """The (length, class) pairs that still have a word to draw; class None means every word of the
    length."""
    for length in lengths:
        for target in targets:
            total = _counts(automaton, length, target)[length, automaton.start]
            if total > max(MAX_LISTED, 2 * len(exclude)) or (
                total > 0 and _list_group(automaton, length, target, exclude)
            ):
                yield length, target


def _shares(size: int, lengths: list[int]) -> list[int]:
    """How many words each group gives: equal for each length, then equal for the groups of a
    length."""
    counts = sorted(Counter(lengths).items())
    per_length = _spread(size, len(counts))
    groups = zip(per_length, counts, strict=True)
    return [share for words, (_, count) in groups for share in _spread(words, count)]


def _spread(size: int, parts: int) -> list[int]:
    """`size` in whole parts that differ by at most one; the last ones, of the longest words, are
    the larger ones."""
    return [(size + i) // parts for i in range(parts)] if parts else []


def _draw_group(
    automaton: Automaton,
    length: int,
    target: int | None,
    count: int,
    exclude: set[bytes],
    rng: np.random.Generator,
) -> list[Int[np.ndarray, " T"]]:
    total = _counts(automaton, length, target)[length, automaton.start]
    if total <= max(MAX_LISTED, 2 * len(exclude)):
        words = _list_group(automaton, length, target, exclude)
        whole, rest = divmod(count, len(words))
        return words * whole + [words[i] for i in rng.choice(len(words), rest, replace=False)]
    drawn: list[Int[np.ndarray, " T"]] = []
    while len(drawn) < count:  # at least half of the group is not excluded, so this ends soon
        candidates = sample_words(automaton, length, target, 2 * (count - len(drawn)), rng)
        drawn.extend(word for word in candidates if word.tobytes() not in exclude)
    return drawn[:count]


def _list_group(
    automaton: Automaton, length: int, target: int | None, exclude: set[bytes]
) -> list[Int[np.ndarray, " T"]]:
    """Every word of one length and class that is not excluded, in lexicographic order."""
    weight = _counts(automaton, length, target)
    words, states = np.zeros((1, 0), np.int32), np.array([automaton.start])
    for step in range(length):
        targets = automaton.transitions[states]
        rows, symbols = np.nonzero(weight[length - step - 1][targets])
        words = np.column_stack([words[rows], symbols]).astype(np.int32)
        states = targets[rows, symbols]
    if not weight[length, automaton.start]:
        return []
    return [word for word in words if word.tobytes() not in exclude]


def _counts(
    automaton: Automaton, length: int, target: int | None
) -> Float[np.ndarray, "length+1 Q"]:
    """How many words of each length lead from each state to one of class `target` (any if None)."""
    paths = count_paths(automaton, length)
    with np.errstate(over="ignore"):
        return np.asarray(paths.sum(axis=2) if target is None else paths[:, :, target])
