"""An automaton as a Python module that needs nothing else."""

from __future__ import annotations

from textwrap import fill

from lisor.automata.automaton import Automaton

_MODULE = '''\
"""A finite state automaton, written by lisor: {size}.

Symbols, classes and states are numbered from 0; symbol n is ALPHABET[n], class n is CLASSES[n].
The answer to a sequence of symbols, given as a list of texts, is

    CLASSES[classify(encode(symbols))]
"""

ALPHABET = [
{alphabet}
]
CLASSES = [
{classes}
]
START = {start}
UNKNOWN = {unknown}  # the number of the symbol that stands for all that ALPHABET lacks
TOKENIZER = {tokenizer}  # what cut texts into symbols
TRANSITIONS = [  # the state after each symbol, a row for each state
{transitions}
]
OUTPUTS = [  # the class of each state
{outputs}
]
{probabilities}
_NUMBERS = {{symbol: number for number, symbol in enumerate(ALPHABET)}}


def encode(symbols):
    """The numbers of symbols; KeyError where ALPHABET lacks one and UNKNOWN is None."""
    return [_NUMBERS[symbol] if UNKNOWN is None else _NUMBERS.get(symbol, UNKNOWN) for symbol in symbols]


def run(numbers, state=START):
    """The state after a sequence of symbol numbers; IndexError where there is no such symbol."""
    for number in numbers:
        if number < 0:
            raise IndexError(number)
        state = TRANSITIONS[state][number]
    return state


def classify(numbers):
    """The number of the class of a sequence of symbol numbers; IndexError where there is no such symbol."""
    return OUTPUTS[run(numbers)]
{distribution}'''

_PROBABILITIES = """\
PROBABILITIES = [  # that of each class in each state
{probabilities}
]
"""

_DISTRIBUTION = '''

def distribution(numbers):
    """The probability of each class after a sequence of symbol numbers."""
    return PROBABILITIES[run(numbers)]
'''


_VALUES = """\
VALUES = [  # a number for each of CLASSES, on each symbol in each state
{values}
]
"""

_PREDICTION = '''

def predict(numbers):
    """A number for each of CLASSES after a sequence of symbol numbers, which is not empty."""
    *before, last = numbers
    if last < 0:
        raise IndexError(last)
    return VALUES[run(before)][last]
'''


def to_python(automaton: Automaton) -> str:
    """The source of a module with the table, `encode`, `run` and `classify`, `distribution` where
    there are probabilities, and `predict` where there are numbers; ASCII, for any Python 3."""
    probabilities = distribution = ""
    if automaton.probabilities is not None:
        rows = (fill_row(f"{row},") for row in automaton.probabilities.tolist())
        probabilities = _PROBABILITIES.format(probabilities="\n".join(rows))
        distribution = _DISTRIBUTION
    if automaton.values is not None:
        rows = (fill_row(f"{row},") for row in automaton.values.tolist())
        probabilities = _VALUES.format(values="\n".join(rows))
        distribution = _PREDICTION
    return _MODULE.format(
        size=describe(automaton),
        alphabet="\n".join(f"    {symbol!a}," for symbol in automaton.alphabet),
        classes="\n".join(f"    {name!a}," for name in automaton.classes),
        start=automaton.start,
        unknown=automaton.alphabet.unknown,
        tokenizer=ascii(automaton.alphabet.tokenizer),
        transitions="\n".join(fill_row(f"{row},") for row in automaton.transitions.tolist()),
        outputs=fill_row(str(automaton.outputs.tolist())[1:-1]),
        probabilities=probabilities,
        distribution=distribution,
    )


def describe(automaton: Automaton) -> str:
    """Its size in words."""
    return f"{automaton.n_states} states, {len(automaton.alphabet)} symbols, {len(automaton.classes)} classes"


def fill_row(text: str) -> str:
    """Numbers with commas between, on lines that are not too long."""
    return fill(text, width=100, initial_indent="    ", subsequent_indent="     ")
