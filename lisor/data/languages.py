"""Regular languages as data sets: labelled words, balanced by counting paths through the true automaton.

    contains 000:   110001 -> accept    0110 -> reject    (empty word) -> reject
    exactly 0110:   0110   -> accept    0111 -> reject

Shapes: Q states of the true automaton, S symbols, T length of a word, M words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.fsa.automaton import Automaton

if TYPE_CHECKING:
    from lisor.config import DatasetConfig

CLASSES = ("reject", "accept")

FRESH = ("selection", "test")
"""Splits whose words should not have been met in training or validation."""

FEW = 4096
"""A group of at most this many words is listed rather than drawn from by trial and error."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """A set of words, given by an automaton that accepts exactly those.

    Where every word has one `fixed_length`, only words of that length are drawn and judged."""

    name: str
    automaton: Automaton
    fixed_length: int | None = None

    def equals(self, other: Automaton) -> bool:
        """Whether `other` accepts the words of this language and no others, of the fixed length where there is one."""
        if self.fixed_length is None:
            return self.automaton.distinguishing_word(other) is None
        words = Sequences.from_lists(_every_word(len(self.automaton.alphabet), self.fixed_length))
        return bool((self.automaton.classify(words) == other.classify(words)).all())


def _binary(name: str, transitions: list[list[int]], accepting: int, fixed_length: int | None = None) -> Language:
    outputs = np.arange(len(transitions)) == accepting
    automaton = Automaton(alphabet=("0", "1"), classes=CLASSES, transitions=np.array(transitions), outputs=outputs)
    return Language(name=name, automaton=automaton, fixed_length=fixed_length)


LANGUAGES = {
    "000": _binary("000", [[1, 0], [2, 0], [3, 0], [3, 3]], accepting=3),
    "0110": _binary("0110", [[1, 5], [5, 2], [5, 3], [4, 5], [5, 5], [5, 5]], accepting=4, fixed_length=4),
}
"""The two artificial tasks of Hou & Zhou (2020, section 5)."""


def from_config(config: DatasetConfig) -> Dataset:
    """The data set of a language that the settings describe."""
    return build(
        LANGUAGES[str(config.language)],
        sizes={name: size for name, size in config.sizes.items() if size is not None},
        max_length=config.length_limit,
        balanced=config.balanced,
        seed=config.seed,
        fresh=FRESH,
    )


def build(
    language: Language, *, sizes: dict[str, int], max_length: int, balanced: bool, seed: int, fresh: tuple[str, ...]
) -> Dataset:
    """A data set with a split of each of the `sizes`; the splits named in `fresh` share no word with earlier ones.

    Words have every length from 0 to `max_length` in equal numbers, and `balanced` takes as many members of the
    language as others wherever a length has both. A length whose fresh words are used up gives its share to the rest;
    a language too small to have 1,000 words of a class repeats words instead."""
    rng = np.random.default_rng(seed)
    fixed = language.fixed_length
    lengths = list(range(max_length + 1)) if fixed is None else [fixed]
    enough = _class_sizes(language.automaton, lengths).min() >= 1000
    splits: dict[str, Split] = {}
    seen: set[bytes] = set()
    for name, size in sizes.items():
        exclude = seen if enough and name in fresh else set()
        words = draw(language.automaton, size, lengths=lengths, balanced=balanced, exclude=exclude, rng=rng)
        if len(words) < size:
            raise DataError(f"no words are left for the split '{name}': draw fewer, or raise max_length")
        splits[name] = Split(sequences=words, labels=language.automaton.classify(words))
        seen.update(words.keys())
    return Dataset(vocabulary=language.automaton.alphabet, classes=CLASSES, splits=splits)


def draw(
    automaton: Automaton,
    size: int,
    *,
    lengths: list[int],
    balanced: bool,
    exclude: set[bytes],
    rng: np.random.Generator,
) -> Sequences:
    """`size` words in random order, spread evenly over `lengths` and, where `balanced`, over the classes of a length.

    A group of words (one length, one class) smaller than its share is taken whole as often as it fits. Words in
    `exclude` are left out, groups without any other word too."""
    groups = list(_groups(automaton, lengths, balanced, exclude))
    share = _shares(size, [length for length, _ in groups])
    words: list[Int[np.ndarray, " T"]] = []
    for (length, target), count in zip(groups, share, strict=True):
        words.extend(_draw_group(automaton, length, target, count, exclude, rng))
    return Sequences.from_lists([words[i] for i in rng.permutation(len(words))])


def count_paths(automaton: Automaton, length: int) -> Float[np.ndarray, "length+1 Q C"]:
    """How many words of each length up to `length` lead from each state to a state of each class."""
    counts = np.zeros((length + 1, automaton.n_states, len(automaton.classes)))
    counts[0, np.arange(automaton.n_states), automaton.outputs] = 1
    for step in range(1, length + 1):
        counts[step] = counts[step - 1][automaton.transitions].sum(axis=1)
    return counts


def sample_words(
    automaton: Automaton, length: int, target: int | None, count: int, rng: np.random.Generator
) -> Int[np.ndarray, "M T"]:
    """`count` words drawn evenly from those of one length that end in class `target` (any class if None)."""
    paths = count_paths(automaton, length)
    weight = paths.sum(axis=2) if target is None else paths[:, :, target]
    states = np.full(count, automaton.start)
    words = np.empty((count, length), np.int32)
    for step in range(length):
        ahead = np.cumsum(weight[length - step - 1][automaton.transitions[states]], axis=1)
        threshold = rng.random(count) * ahead[:, -1]
        words[:, step] = (threshold[:, None] >= ahead[:, :-1]).sum(axis=1)
        states = automaton.transitions[states, words[:, step]]
    return words


def _groups(
    automaton: Automaton, lengths: list[int], balanced: bool, exclude: set[bytes]
) -> Iterator[tuple[int, int | None]]:
    """The (length, class) pairs that still have a word to draw; class None means every word of the length."""
    for length in lengths:
        targets = range(len(automaton.classes)) if balanced else [None]
        for target in targets:
            total = _count(automaton, length, target)
            if total > max(FEW, 2 * len(exclude)) or (total > 0 and _list_group(automaton, length, target, exclude)):
                yield length, target


def _shares(size: int, lengths: list[int]) -> list[int]:
    """How many words each group gives: equal for each length, then equal for the groups of a length."""
    distinct = sorted(set(lengths))
    per_length = dict(zip(distinct, _spread(size, len(distinct)), strict=True))
    shares: list[int] = []
    for length in distinct:
        shares.extend(_spread(per_length[length], lengths.count(length)))
    return shares


def _spread(size: int, parts: int) -> list[int]:
    """`size` in whole parts that differ by at most one; the last ones take what is over, the longest words that is."""
    return [(size + i) // parts for i in range(parts)] if parts else []


def _draw_group(
    automaton: Automaton, length: int, target: int | None, count: int, exclude: set[bytes], rng: np.random.Generator
) -> list[Int[np.ndarray, " T"]]:
    total = _count(automaton, length, target)
    if total <= max(FEW, 2 * len(exclude)):
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
    alive = count_paths(automaton, length)
    weight = alive.sum(axis=2) if target is None else alive[:, :, target]
    words, states = np.zeros((1, 0), np.int32), np.array([automaton.start])
    for step in range(length):
        targets = automaton.transitions[states]
        rows, symbols = np.nonzero(weight[length - step - 1][targets])
        words = np.column_stack([words[rows], symbols]).astype(np.int32)
        states = targets[rows, symbols]
    if not weight[length, automaton.start]:
        return []
    return [word for word in words if word.tobytes() not in exclude]


def _count(automaton: Automaton, length: int, target: int | None) -> float:
    paths = count_paths(automaton, length)[length, automaton.start]
    return float(paths.sum() if target is None else paths[target])


def _class_sizes(automaton: Automaton, lengths: list[int]) -> Float[np.ndarray, " C"]:
    """How many words of the given lengths each class has."""
    sizes: Float[np.ndarray, " C"] = count_paths(automaton, max(lengths))[lengths, automaton.start].sum(axis=0)
    return sizes


def _every_word(symbols: int, length: int) -> Int[np.ndarray, "M T"]:
    return np.stack(np.unravel_index(np.arange(symbols**length), (symbols,) * length), axis=1)
