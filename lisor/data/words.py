"""Labelled words of a regular language as a data set.

Shapes: M words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.data.dataset import Dataset, Split
from lisor.data.languages import Language, find
from lisor.data.sampling import class_sizes, draw, near_misses
from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.fsa.automaton import CLASSES
from lisor.randomness import stream

if TYPE_CHECKING:
    from lisor.config import DatasetConfig

FRESH = ("selection", "test")
"""Splits whose words should not have been met in training or validation."""

ENOUGH = 1000
"""A class with fewer words than this is repeated rather than kept apart between splits."""


def from_config(config: DatasetConfig) -> Dataset:
    """The data set of a language that the settings describe.

    Raises:
        LanguageError: there is no such language, or it holds no word or every word."""
    return build(
        find(str(config.language), config.alphabet),
        sizes={name: size for name, size in config.sizes.items() if size is not None},
        max_length=config.length_limit,
        balanced=config.balanced,
        seed=config.seed,
    )


def build(language: Language, *, sizes: dict[str, int], max_length: int, balanced: bool, seed: int) -> Dataset:
    """A data set with a split of each of the `sizes`, and with the four test sets where there is a test split.

    Words of the splits have every length from 0 to `max_length` in equal numbers, and `balanced` takes as many members
    of the language as others wherever a length has both. A length whose fresh words are used up gives its share to the
    rest; a language too small to have 1,000 words of a class repeats words instead.

    The test sets are short-random and short-near-miss, of words of 1 to `max_length` symbols, long-random and
    long-near-miss, of up to 2·`max_length` + 10: balanced, as large as the test split, and apart from training and
    validation. A language of words of one length has none of them.

    Raises:
        DataError: a split has no words left to draw."""
    automaton, fixed = language.automaton, language.fixed_length
    lengths = list(range(max_length + 1)) if fixed is None else [fixed]
    targets = range(len(CLASSES)) if balanced else [None]
    enough = class_sizes(automaton, lengths).min() >= ENOUGH
    splits: dict[str, Split] = {}
    seen: set[bytes] = set()
    for name, size in sizes.items():
        exclude = seen if enough and name in FRESH else set()
        rng = stream(seed, "words", name)
        words = draw(automaton, size, lengths=lengths, targets=targets, exclude=exclude, rng=rng)
        if len(words) < size:
            raise DataError(f"no words are left for the split '{name}': draw fewer, or raise max_length")
        splits[name] = Split(sequences=words, labels=automaton.classify(words))
        seen.update(words.keys())
    notes = []
    if fixed is None and "test" in sizes:
        learned = [splits[name].sequences for name in ("train", "validation") if name in splits]
        met = {key for sequences in learned for key in sequences.keys()}  # noqa: SIM118
        for name, words in draw_test_sets(
            language, size=sizes["test"], max_length=max_length, met=met, seed=seed
        ).items():
            if len(words):
                splits[name] = Split(sequences=words, labels=automaton.classify(words))
            else:
                notes.append(f"there is no test set {name}: the language has no such words")
    return Dataset(vocabulary=automaton.alphabet, classes=CLASSES, splits=splits, language=language, notes=tuple(notes))


def draw_test_sets(
    language: Language, *, size: int, max_length: int, met: set[bytes], seed: int
) -> dict[str, Sequences]:
    """Random words and near misses, short ones and ones longer than training has seen."""
    automaton = language.automaton
    ranges = {"short": range(1, max_length + 1), "long": range(max_length + 1, 2 * max_length + 11)}
    sets = {}
    for reach, lengths in ranges.items():
        every, random, near = list(lengths), f"{reach}-random", f"{reach}-near-miss"
        sizes = class_sizes(automaton, every)
        excluded = [met if count >= ENOUGH else set() for count in sizes]  # of a small class every word may be met
        rng = stream(seed, "words", random)
        halves = [
            draw(automaton, count, lengths=every, targets=[target], exclude=excluded[target], rng=rng)
            for target, count in enumerate((size - size // 2, size // 2))
        ]
        sets[random] = Sequences.join(halves if all(map(len, halves)) else [])
        both = met if sizes.min() >= ENOUGH else set()
        rng = stream(seed, "words", near)
        sets[near] = near_misses(automaton, size, lengths=every, exclude=both, rng=rng)
    return sets
