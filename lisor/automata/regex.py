"""Regular expressions as automata, so that membership is decided by a table and never by
backtracking.

    (0|1)*000(0|1)*    words that contain 000
    (()|0)(10)*        0 and 1 in turn, ending in 0, or the empty word

A symbol stands for itself; `|` is alternation, `*` `+` `?` `{m}` `{m,}` `{m,n}` repeat, `[01]`
`[a-d]` `[^0]` are one symbol of a class, parentheses group, and `()` is the empty word. A backslash
makes a symbol of the next character.

Why not automata-lib's reader, with which the tests compare this one: it does not say where a
mistake is, takes `a{0}` for `a?`, and makes a deterministic automaton however many states that has,
so that a parser, the limits and the construction of states would stay ours; the expressions that it
writes are longer by a fifth than those of `lisor.automata.formats.expression`."""

from __future__ import annotations

from functools import cache, reduce
from typing import NamedTuple, TypeAlias

import numpy as np

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.errors import LanguageError, show

MAX_STATES = 10_000
"""Automata with more states than this are refused."""

MAX_REPEATS = 200
"""The largest number in `{m,n}`."""

MAX_CHARACTERS = 2000
"""Expressions with more symbols than this, repetitions written out, are refused."""

SHOWN = 40
"""Symbols of an expression that a message shows before and after a mistake."""

_SPECIAL = "|*+?{}[]()\\"

_BOUNDS: dict[str, tuple[int, int | None] | None] = {
    "*": (0, None),
    "+": (1, None),
    "?": (0, 1),
    "{": None,
}
"""How often an operator repeats what is before it; None where the text says so."""


class Nothing(NamedTuple):
    """No word at all."""

    kind: str = "nothing"


class Empty(NamedTuple):
    """The empty word alone."""

    kind: str = "empty"


class Symbol(NamedTuple):
    """Any one of some symbols."""

    symbols: frozenset[str]


class Concatenation(NamedTuple):
    """A word of the first, then one of the second."""

    first: Expression
    second: Expression


class Alternation(NamedTuple):
    """A word of any of the options."""

    options: frozenset[Expression]


class Star(NamedTuple):
    """Any number of words of the inner expression, one after the other."""

    inner: Expression


Expression: TypeAlias = Nothing | Empty | Symbol | Concatenation | Alternation | Star


def compile_regex(text: str, alphabet: tuple[str, ...]) -> Automaton:
    """The smallest automaton that accepts the words of a regular expression over an alphabet of
    single characters.

    Its states are the expression's derivatives (Brzozowski, 1964, "Derivatives of regular
    expressions").

    Raises:
        LanguageError: the expression is malformed (the message shows where), or its automaton is
            too large."""
    try:
        start = _Parser(text, alphabet).parse()
        states, rows = {start: 0}, []
        for state in (queue := [start]):
            targets = [_derive(state, symbol) for symbol in alphabet]
            for target in targets:
                if target not in states:
                    states[target] = len(states)
                    queue.append(target)
            rows.append([states[target] for target in targets])
            if len(states) > MAX_STATES:
                raise LanguageError(
                    f"the automaton of {show(text)} has more than {MAX_STATES:,} states"
                )
        outputs = np.array([_has_empty_word(state) for state in queue])
    except RecursionError:
        raise LanguageError(f"the regular expression {show(text)} is nested too deeply") from None
    finally:
        _derive.cache_clear()
        _has_empty_word.cache_clear()
    return Automaton(
        alphabet=Alphabet.of(alphabet), classes=CLASSES, transitions=np.array(rows), outputs=outputs
    ).minimized()


@cache
def _derive(expression: Expression, symbol: str) -> Expression:
    """The expression of what may come after the symbol."""
    match expression:
        case Symbol(symbols):
            return Empty() if symbol in symbols else Nothing()
        case Concatenation(first, second):
            after = concatenate(_derive(first, symbol), second)
            return alternate({after, _derive(second, symbol)}) if _has_empty_word(first) else after
        case Alternation(options):
            return alternate({_derive(option, symbol) for option in options})
        case Star(inner):
            return concatenate(_derive(inner, symbol), expression)
        case _:
            return Nothing()


@cache
def _has_empty_word(expression: Expression) -> bool:
    match expression:
        case Empty() | Star():
            return True
        case Concatenation(first, second):
            return _has_empty_word(first) and _has_empty_word(second)
        case Alternation(options):
            return any(_has_empty_word(option) for option in options)
        case _:
            return False


def concatenate(first: Expression, second: Expression) -> Expression:
    """First and second in the form nested to the right, so that equal derivatives are found
    equal."""
    if isinstance(first, Nothing) or isinstance(second, Nothing):
        return Nothing()
    if isinstance(first, Empty):
        return second
    if isinstance(first, Concatenation):
        return Concatenation(first.first, concatenate(first.second, second))
    return first if isinstance(second, Empty) else Concatenation(first, second)


def alternate(options: set[Expression]) -> Expression:
    """The options without nesting, repetition and what has no word: then there are finitely many
    derivatives."""
    flat: set[Expression] = set()
    for option in options:
        flat |= option.options if isinstance(option, Alternation) else {option}
    flat.discard(Nothing())
    if not flat:
        return Nothing()
    return flat.pop() if len(flat) == 1 else Alternation(frozenset(flat))


class _Parser:
    """Recursive descent over the text of an expression."""

    def __init__(self, text: str, alphabet: tuple[str, ...]) -> None:
        self.text, self.alphabet, self.position = text, alphabet, 0
        self.characters = 0  # read so far, repetitions written out

    def parse(self) -> Expression:
        expression = self._alternation()
        if self.position < len(self.text):
            raise self._error("a parenthesis closes here that none has opened")
        return expression

    def _alternation(self) -> Expression:
        options = {self._concatenation()}
        while self._take("|"):
            options.add(self._concatenation())
        return alternate(options)

    def _concatenation(self) -> Expression:
        parts = []
        while self.position < len(self.text) and self.text[self.position] not in "|)":
            parts.append(self._repetition())
        if not parts:
            raise self._error("expected a symbol or a group; the empty word is written ()")
        return reduce(lambda whole, part: concatenate(part, whole), reversed(parts))

    def _repetition(self) -> Expression:
        before = self.characters
        expression = self._atom()
        while (operator := self.text[self.position : self.position + 1]) in _BOUNDS:
            self.position += 1
            least, most = _BOUNDS[operator] or self._bounds()
            self._write_out(before, least + 1 if most is None else most)
            expression = _repeat(expression, least, most)
        return expression

    def _write_out(self, before: int, copies: int) -> None:
        self.characters = before + (self.characters - before) * max(1, copies)
        if self.characters > MAX_CHARACTERS:
            raise self._error(
                f"the expression has more than {MAX_CHARACTERS:,} symbols, repetitions written out"
            )

    def _bounds(self) -> tuple[int, int | None]:
        """The numbers of `{m}`, `{m,}` or `{m,n}`, of which the brace is read already."""
        opened = self.position
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = self._number() if self.text[self.position : self.position + 1] != "}" else None
        if not self._take("}"):
            raise self._error("expected {m}, {m,} or {m,n}")
        if most is not None and most < least:
            raise self._error(f"the bounds are the wrong way round: {least} > {most}", opened)
        if max(least, most or 0) > MAX_REPEATS:
            raise self._error(f"the bounds must be at most {MAX_REPEATS}", opened)
        return least, most

    def _number(self) -> int:
        start = self.position
        while self.text[self.position : self.position + 1].isdecimal():
            self.position += 1
        if start == self.position:
            raise self._error("expected a number")
        return int(self.text[start : self.position][:4])

    def _atom(self) -> Expression:
        if self._take("("):
            opened = self.position - 1
            if self._take(")"):
                return Empty()
            inner = self._alternation()
            if not self._take(")"):
                raise self._error("this parenthesis is never closed", opened)
            return inner
        self.characters += 1
        self._write_out(0, 1)
        if self._take("["):
            return Symbol(self._class())
        character = self.text[self.position]
        if character in _SPECIAL and character != "\\":
            raise self._error(f"there is nothing before {character!r} that it could apply to")
        return Symbol(frozenset({self._symbol()}))

    def _class(self) -> frozenset[str]:
        """The symbols of a class, of which the opening bracket is read already."""
        opened, negated = self.position - 1, self._take("^")
        symbols: set[str] = set()
        while not self._take("]"):
            if self.position >= len(self.text):
                raise self._error("this bracket is never closed", opened)
            first = self._symbol()
            if self._take("-"):
                last = self._symbol()
                symbols |= {symbol for symbol in self.alphabet if first <= symbol <= last}
            else:
                symbols.add(first)
        if not symbols:
            raise self._error("a class needs at least one symbol", opened)
        return frozenset(self.alphabet) - symbols if negated else frozenset(symbols)

    def _symbol(self) -> str:
        escaped = self._take("\\")
        if self.position >= len(self.text):
            raise self._error("expected a symbol, but the expression ends")
        symbol = self.text[self.position]
        if symbol not in self.alphabet:
            known = show("".join(self.alphabet))
            hint = (
                ""
                if escaped or symbol not in _SPECIAL
                else "; a backslash before it would make it a symbol"
            )
            raise self._error(f"{symbol!r} is not in the alphabet {known}{hint}")
        self.position += 1
        return symbol

    def _take(self, character: str) -> bool:
        """Whether this character comes next; then it is read."""
        is_next = self.text.startswith(character, self.position)
        self.position += is_next
        return is_next

    def _error(self, problem: str, position: int | None = None) -> LanguageError:
        at = self.position if position is None else position
        before, after = max(0, at - SHOWN), min(at + SHOWN, len(self.text))
        shown = f"{'…' * (before > 0)}{self.text[before:at]} ⟨here⟩ {self.text[at:after]}".strip()
        shown += "…" * (after < len(self.text))
        return LanguageError(
            f"the regular expression is wrong at character {at + 1}: {problem}: {shown}"
        )


def _repeat(expression: Expression, least: int, most: int | None) -> Expression:
    """Between `least` and `most` of the expression, without end where `most` is None."""
    tail: Expression = Star(expression) if most is None else Empty()
    for _ in range(0 if most is None else most - least):
        tail = alternate({Empty(), concatenate(expression, tail)})
    for _ in range(least):
        tail = concatenate(expression, tail)
    return tail
