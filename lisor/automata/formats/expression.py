"""Regular expressions of automata, by eliminating states (Brzozowski & McCluskey, 1963).

An expression may be exponentially longer than its automaton is large (Ehrenfeucht & Zeiger, 1976):
not every automaton has one that is worth writing down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from lisor.automata.automaton import Automaton
from lisor.automata.regex import (
    Alternation,
    Concatenation,
    Empty,
    Expression,
    Nothing,
    Star,
    Symbol,
    alternate,
    concatenate,
)
from lisor.errors import AutomatonError

MAX_STATES = 200
"""Automata with more states than this, when smallest, are refused."""

MAX_CHARACTERS = 500
"""Expressions with more symbols, a class of symbols counted as one, are refused."""

_SPECIAL = frozenset("|*+?{}[]()\\^-")
"""Characters that get a backslash; inside brackets and outside, to keep it simple."""

_ALTERNATION, _CONCATENATION, _ATOM = range(3)
"""How tightly a text binds."""


def to_regex(automaton: Automaton) -> str:
    """An expression of the accepted words, which `lisor.automata.regex.compile_regex` reads over
    the same alphabet.

    Short, not shortest: the smallest automaton loses that state first whose loss adds least
    (Delgado & Morais, 2004).

    Raises:
        AutomatonError: there are not two classes, a symbol is not a single character, or the
            automaton or expression is too large."""
    if len(automaton.classes) != 2:
        raise AutomatonError(
            f"an expression has two classes, this automaton {len(automaton.classes)}; "
            "export as json or dot"
        )
    if long := [symbol for symbol in automaton.alphabet if len(symbol) != 1]:
        raise AutomatonError(
            f"an expression needs symbols of one character each, got {long[0]!r}; "
            "export as json or dot"
        )
    small = automaton.minimized()
    if small.n_states > MAX_STATES:
        raise AutomatonError(
            f"an expression is written for up to {MAX_STATES} states, the smallest automaton has "
            f"{small.n_states:,}; export as json or dot"
        )
    first, last = small.n_states, small.n_states + 1
    edges: dict[tuple[int, int], Expression] = {(first, small.start): Empty()}
    edges |= {(int(state), last): Empty() for state in np.flatnonzero(small.outputs == 1)}
    for source, row in enumerate(small.transitions):
        for target in np.unique(row).tolist():
            symbols = frozenset(small.alphabet[symbol] for symbol in np.flatnonzero(row == target))
            edges[source, target] = Symbol(symbols)
    states = set(range(small.n_states))
    while states:
        state = min(states, key=lambda one: (_growth(edges, one), one))
        states.remove(state)
        edges = _without(edges, state)
        if max(map(_length, edges.values()), default=0) > MAX_CHARACTERS:
            raise AutomatonError(
                f"an expression of up to {MAX_CHARACTERS} symbols is written, this automaton's is "
                f"longer (smallest, it has {small.n_states} states); export as json or dot"
            )
    return _write(edges.get((first, last), Nothing()), small.alphabet.symbols)[0]


def _around(
    edges: dict[tuple[int, int], Expression], state: int
) -> tuple[dict[int, Expression], Expression, dict[int, Expression]]:
    """What leads to a state from others, from it to itself, and from it to others."""
    before = {source: edge for (source, target), edge in edges.items() if target == state != source}
    after = {target: edge for (source, target), edge in edges.items() if source == state != target}
    return before, edges.get((state, state), Nothing()), after


def _without(
    edges: dict[tuple[int, int], Expression], state: int
) -> dict[tuple[int, int], Expression]:
    """The edges between the other states, with the paths through this one put on them."""
    before, loop, after = _around(edges, state)
    rest = {pair: edge for pair, edge in edges.items() if state not in pair}
    again = Empty() if isinstance(loop, Nothing) else Star(loop)
    for source, head in before.items():
        for target, tail in after.items():
            through = concatenate(head, concatenate(again, tail))
            rest[source, target] = alternate({rest.get((source, target), Nothing()), through})
    return rest


def _growth(edges: dict[tuple[int, int], Expression], state: int) -> int:
    """How many symbols the edges gain when a state is eliminated."""
    before, loop, after = _around(edges, state)
    return (
        sum(map(_length, before.values())) * (len(after) - 1)
        + sum(map(_length, after.values())) * (len(before) - 1)
        + _length(loop) * (len(before) * len(after) - 1)
    )


def _factors(expression: Expression) -> Iterator[Expression]:
    """The parts of a concatenation, however long, one after the other."""
    while isinstance(expression, Concatenation):
        yield expression.first
        expression = expression.second
    yield expression


def _length(expression: Expression) -> int:
    match expression:
        case Symbol():
            return 1
        case Concatenation():
            return sum(map(_length, _factors(expression)))
        case Alternation(options):
            return sum(map(_length, options))
        case Star(inner):
            return _length(inner)
        case _:
            return 0


def _write(expression: Expression, alphabet: tuple[str, ...]) -> tuple[str, int]:
    """The text of an expression and how tightly it binds."""

    def bound(inner: Expression, tightly: int) -> str:
        text, binding = _write(inner, alphabet)
        return text if binding >= tightly else f"({text})"

    match expression:
        case Symbol(symbols):
            return _class(symbols, alphabet), _ATOM
        case Star(inner):
            return bound(inner, _ATOM) + "*", _CONCATENATION
        case Concatenation():
            parts = list(_factors(expression))
            texts = []
            while parts:
                part = parts.pop(0)
                again = parts[:1] == [Star(part)]
                texts.append(bound(part, _ATOM) + "+" if again else bound(part, _CONCATENATION))
                del parts[:again]
            return "".join(texts), _CONCATENATION
        case Alternation(options) if Empty() in options:
            match alternate(set(options) - {Empty()}):
                case Star() as rest:
                    return _write(rest, alphabet)
                case Concatenation(first, Star(inner)) if first == inner:
                    return _write(Star(inner), alphabet)
                case rest:
                    return bound(rest, _ATOM) + "?", _CONCATENATION
        case Alternation(options):
            single = [option.symbols for option in options if isinstance(option, Symbol)]
            texts = [
                _write(option, alphabet)[0] for option in options if not isinstance(option, Symbol)
            ]
            texts += [_class(frozenset().union(*single), alphabet)] if single else []
            return "|".join(
                sorted(texts, key=lambda text: (len(text), text))
            ), _ALTERNATION if texts[1:] else _ATOM
        case Empty():
            return "()", _ATOM
        case _:
            return _class(frozenset(), alphabet), _ATOM


def _class(symbols: frozenset[str], alphabet: Iterable[str]) -> str:
    """One symbol of some, as itself or in brackets; those that are missing, where they are
    fewer."""
    inside = [_escape(symbol) for symbol in alphabet if symbol in symbols]
    outside = [_escape(symbol) for symbol in alphabet if symbol not in symbols]
    if len(inside) == 1:
        return inside[0]
    if not inside or 0 < len(outside) < len(inside):
        return f"[^{''.join(outside)}]"
    return f"[{''.join(inside)}]"


def _escape(symbol: str) -> str:
    return f"\\{symbol}" if symbol in _SPECIAL else symbol
