"""Regular languages, each given by an automaton that accepts exactly its words.

    000         contains 000: 110001 -> accept    0110 -> reject    (empty word) -> reject
    0110        exactly 0110: 0110 -> accept    0111 -> reject
    tomita-1    1*
    tomita-2    (10)*
    tomita-3    no odd run of 0 after an odd run of 1
    tomita-4    without 000
    tomita-5    an even number of 0 and an even number of 1
    tomita-6    as many 0 as 1, modulo 3
    tomita-7    0*1*0*1*

"000" and "0110" are the artificial tasks of Hou & Zhou (2020, section 5); the others are those of
Tomita (1982), "Dynamic construction of finite-state automata from examples using hill-climbing"."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.automata.formats.reading import read_automaton
from lisor.automata.regex import compile_regex
from lisor.errors import LanguageError
from lisor.sequences import Sequences
from lisor.settings.language import EXPRESSION, FILE


@dataclass(frozen=True, kw_only=True)
class Language:
    """A set of words, given by an automaton that accepts exactly those.

    Where every word has one `fixed_length`, only words of that length are drawn and judged."""

    automaton: Automaton
    fixed_length: int | None = None

    def most_prefixes(self, words: int, max_length: int) -> int:
        """How many different prefixes so many words have at most, and so hidden states that they
        leave in a network."""
        longest = max_length if self.fixed_length is None else self.fixed_length
        symbols = len(self.automaton.alphabet)
        return sum(min(words, symbols**length) for length in range(1, longest + 1))

    def equals(self, other: Automaton) -> bool:
        """Whether `other` accepts the words of this language and no others, of the fixed length
        where there is one."""
        if self.fixed_length is None:
            return self.automaton.distinguishing_word(other) is None
        symbols = range(len(self.automaton.alphabet))
        words = Sequences.from_lists(product(symbols, repeat=self.fixed_length))
        return bool((self.automaton.classify(words) == other.classify(words)).all())


def find(name: str, alphabet: str = "01") -> Language:
    """The language of that name: one of `LANGUAGES`, `regex:` with an expression, or `automaton:`
    with a file.

    A file is an automaton as JSON or, if its name ends so, as Graphviz's .dot or JFLAP's .jff.

    Raises:
        LanguageError: there is no such language, or it holds no word or every word.
        AutomatonError: the file does not hold an automaton of two classes."""
    if name in LANGUAGES:
        return LANGUAGES[name]
    if name.startswith(EXPRESSION):
        automaton = compile_regex(name.removeprefix(EXPRESSION), tuple(alphabet))
    elif name.startswith(FILE):
        automaton = read_automaton(Path(name.removeprefix(FILE)))
    else:
        raise LanguageError(
            f"expected one of {', '.join(LANGUAGES)}, {EXPRESSION}… or {FILE}…, got {name!r}"
        )
    if len(automaton.classes) != 2:
        raise LanguageError(
            f"a language has two classes of words, {name} has {len(automaton.classes)}"
        )
    outputs = set(automaton.outputs[automaton.reachable()].tolist())
    if len(outputs) == 1:
        raise LanguageError(
            f"{name} holds {'every word' if 1 in outputs else 'no word'}: there is nothing to learn"
        )
    return Language(automaton=automaton)


def _binary(
    transitions: list[list[int]], accepting: set[int], fixed_length: int | None = None
) -> Language:
    automaton = Automaton(
        alphabet=Alphabet(symbols=("0", "1")),
        classes=CLASSES,
        transitions=np.array(transitions),
        outputs=np.isin(np.arange(len(transitions)), list(accepting)),
    )
    return Language(automaton=automaton, fixed_length=fixed_length)


LANGUAGES = {
    "000": _binary([[1, 0], [2, 0], [3, 0], [3, 3]], {3}),
    "0110": _binary([[1, 5], [5, 2], [5, 3], [4, 5], [5, 5], [5, 5]], {4}, fixed_length=4),
    "tomita-1": _binary([[1, 0], [1, 1]], {0}),
    "tomita-2": _binary([[2, 1], [0, 2], [2, 2]], {0}),
    "tomita-3": _binary([[0, 1], [2, 0], [3, 4], [2, 3], [4, 4]], {0, 1, 3}),
    "tomita-4": _binary([[1, 0], [2, 0], [3, 0], [3, 3]], {0, 1, 2}),
    "tomita-5": _binary([[1, 2], [0, 3], [3, 0], [2, 1]], {0}),
    "tomita-6": _binary([[1, 2], [2, 0], [0, 1]], {0}),
    "tomita-7": _binary([[0, 1], [2, 1], [2, 3], [4, 3], [4, 4]], {0, 1, 2, 3}),
}
