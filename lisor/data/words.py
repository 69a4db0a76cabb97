"""Labelled words of a regular language as a dataset.

Shapes: M words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lisor.automata.automaton import CLASSES
from lisor.automata.languages import Language, find
from lisor.automata.pdfa import sample, uniform_pdfa
from lisor.automata.sampling import class_sizes, draw, near_misses
from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.errors import DataError
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.settings.language import FILE, LanguageSettings

FRESH = ("selection", "test")
"""Splits whose words should not be those of training or validation."""

MAX_DRAWS = 100
"""Rounds in which words are drawn of which some are too long."""

MIN_PER_CLASS = 1000
"""A class with fewer words than this is repeated rather than kept apart between splits."""


class LanguageData(Kind[LanguageSettings]):
    """Labelled words of a regular language."""

    def files(self, settings: LanguageSettings) -> dict[str, str]:
        """The file of the automaton that gives the language, if one does."""
        name = settings.language
        return {"automaton": name.removeprefix(FILE)} if name.startswith(FILE) else {}

    def most_states(self, settings: LanguageSettings) -> int:
        """How many different prefixes the words of the validation split have at most.

        Raises:
            LanguageError: there is no such language, or it holds no word or every word."""
        language = find(settings.language, settings.alphabet)
        return language.most_prefixes(settings.validation, settings.max_length)

    def build(
        self,
        settings: LanguageSettings,
        files: Mapping[str, Path],
        *,
        vector_size: int | None = None,
    ) -> Dataset:
        """Words that are drawn as the settings say.

        Raises:
            LanguageError: there is no such language, or it holds no word or every word.
            DataError: a split has no words left to draw."""
        name = f"{FILE}{files['automaton']}" if "automaton" in files else settings.language
        language = find(name, settings.alphabet)
        if settings.target == "next":
            return members(
                language,
                sizes=settings.sizes,
                max_length=settings.max_length,
                seed=settings.seed,
            )
        return build(
            language,
            sizes=settings.sizes,
            max_length=settings.max_length,
            balanced=settings.balanced,
            seed=settings.seed,
            target=settings.target,
        )


def from_settings(settings: LanguageSettings) -> Dataset:
    """The words of a language that the settings describe; see `LanguageData`."""
    return LanguageData().build(settings, {})


def build(
    language: Language,
    *,
    sizes: dict[str, int],
    max_length: int,
    balanced: bool,
    seed: int,
    target: str = "class",
) -> Dataset:
    """A dataset with a split of each of the `sizes`, and with the four test sets where there is a
    test split.

    Words of the splits have every length from 0 to `max_length` in equal numbers, and `balanced`
    takes as many members of the language as others wherever a length has both. A length whose fresh
    words are used up gives its share to the rest; a language too small to have 1,000 words of a
    class repeats words instead.

    The test sets are short-random and short-near-miss, of words of 1 to `max_length` symbols,
    long-random and long-near-miss, of up to 2·`max_length` + 10: balanced, as large as the test
    split, and apart from training and validation. A language of words of one length has none of
    them.

    Raises:
        DataError: a split has no words left to draw."""
    automaton, fixed = language.automaton, language.fixed_length
    teacher = replace(automaton, target=target)
    lengths = list(range(max_length + 1)) if fixed is None else [fixed]
    targets = range(len(CLASSES)) if balanced else [None]
    enough = class_sizes(automaton, lengths).min() >= MIN_PER_CLASS
    splits: dict[str, Split] = {}
    seen: set[bytes] = set()
    for name, size in sizes.items():
        exclude = seen if enough and name in FRESH else set()
        rng = stream(seed, "words", name)
        words = draw(automaton, size, lengths=lengths, targets=targets, exclude=exclude, rng=rng)
        if len(words) < size:
            raise DataError(
                f"no words are left for the split '{name}': draw fewer, or raise max_length"
            )
        splits[name] = Split(sequences=words, labels=teacher.classify(words), target=target)
        seen.update(words.keys())
    notes = []
    if fixed is None and "test" in sizes:
        learned = [splits[name].sequences for name in ("train", "validation") if name in splits]
        exclude = set().union(*(sequences.keys() for sequences in learned))
        for name, words in draw_test_sets(
            language, size=sizes["test"], max_length=max_length, exclude=exclude, seed=seed
        ).items():
            if len(words):
                splits[name] = Split(sequences=words, labels=teacher.classify(words), target=target)
            else:
                notes.append(f"there is no test set {name}: the language has no such words")
    return Dataset(
        alphabet=automaton.alphabet,
        classes=CLASSES,
        splits=splits,
        language=language,
        notes=tuple(notes),
    )


def members(language: Language, *, sizes: Mapping[str, int], max_length: int, seed: int) -> Dataset:
    """Words of the language alone, and what follows each of their prefixes.

    They are drawn from `uniform_pdfa`, whose words are a quarter as long as `max_length` in a
    language of all words; longer ones than that are drawn anew.

    Raises:
        DataError: hardly any word is that short."""
    source = uniform_pdfa(language.automaton, 1 / (1 + max_length / 4))
    splits = {}
    for name, size in sizes.items():
        rng, drawn, count = stream(seed, "members", name), list[Sequences](), 0
        for _ in range(MAX_DRAWS):
            words, ended = sample(source, size, rng, max_length=max_length)
            drawn.append(words.select(np.flatnonzero(ended)[: size - count]))
            count += len(drawn[-1])
            if count == size:
                break
        else:
            raise DataError(
                f"expected words of at most {max_length} symbols for the split '{name}', found "
                "hardly any among those drawn: raise dataset.max_length"
            )
        splits[name] = Sequences.join(drawn)
    return Dataset.of_next(source.alphabet, splits)


def draw_test_sets(
    language: Language, *, size: int, max_length: int, exclude: set[bytes], seed: int
) -> dict[str, Sequences]:
    """Random words and near misses, short ones and ones longer than training has seen."""
    automaton = language.automaton
    ranges = {"short": range(1, max_length + 1), "long": range(max_length + 1, 2 * max_length + 11)}
    sets = {}
    for reach, span in ranges.items():
        lengths, random, near = list(span), f"{reach}-random", f"{reach}-near-miss"
        sizes = class_sizes(automaton, lengths)
        rng = stream(seed, "words", random)
        halves = [
            draw(
                automaton,
                count,
                lengths=lengths,
                targets=[target],
                # no word of a small class is excluded: none might be left
                exclude=exclude if sizes[target] >= MIN_PER_CLASS else set(),
                rng=rng,
            )
            for target, count in enumerate((size - size // 2, size // 2))
        ]
        sets[random] = Sequences.join(halves if all(map(len, halves)) else [])
        sets[near] = near_misses(
            automaton,
            size,
            lengths=lengths,
            exclude=exclude if sizes.min() >= MIN_PER_CLASS else set(),
            rng=stream(seed, "words", near),
        )
    return sets
