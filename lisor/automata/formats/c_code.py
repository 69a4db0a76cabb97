"""An automaton as a C file that needs nothing but the standard library."""

from __future__ import annotations

from lisor.automata.automaton import Automaton
from lisor.automata.formats.python_code import describe, fill_row
from lisor.errors import AutomatonError

_FILE = """\
/* A finite state automaton, written by lisor: {size}.

   C99. Symbols, classes and states are numbered from 0; symbol n is alphabet[n], class n is classes[n], in UTF-8.
   For use in another file: */

#include <stddef.h>
#include <string.h>

enum {{ STATES = {states}, SYMBOLS = {symbols}, CLASSES = {n_classes}, START = {start} }};
enum {{ UNKNOWN = {unknown} }}; /* the symbol that stands for all that the alphabet lacks; -1: none does */

extern const char *const alphabet[SYMBOLS];
extern const char *const classes[CLASSES];

int encode(const char *symbol);                  /* its number, or UNKNOWN */
int run(const int *numbers, size_t length);      /* the state after so many symbols */
int classify(const int *numbers, size_t length); /* the class of so many symbols */
{declaration}
/* Both give -1 where a number is no symbol's. Up to here a header; from here on the table. */

const char *const alphabet[SYMBOLS] = {{
{alphabet}
}};

const char *const classes[CLASSES] = {{
{classes}
}};

static const {type} transitions[STATES][SYMBOLS] = {{
{transitions}
}};

static const {class_type} outputs[STATES] = {{
{outputs}
}};
{probabilities}
int encode(const char *symbol)
{{
    int number;
    for (number = 0; number < SYMBOLS; number++)
        if (strcmp(alphabet[number], symbol) == 0)
            return number;
    return UNKNOWN;
}}

int run(const int *numbers, size_t length)
{{
    int state = START;
    size_t place;
    for (place = 0; place < length; place++) {{
        if (numbers[place] < 0 || numbers[place] >= SYMBOLS)
            return -1;
        state = (int)transitions[state][numbers[place]];
    }}
    return state;
}}

int classify(const int *numbers, size_t length)
{{
    int state = run(numbers, length);
    return state < 0 ? -1 : (int)outputs[state];
}}
{distribution}"""

_DECLARATION = """\
const double *distribution(const int *numbers, size_t length); /* of each class, or NULL */
"""

_PROBABILITIES = """
static const double probabilities[STATES][CLASSES] = {{
{rows}
}};
"""

_DISTRIBUTION = """
const double *distribution(const int *numbers, size_t length)
{
    int state = run(numbers, length);
    return state < 0 ? NULL : probabilities[state];
}
"""


_NUMBERS = """
static const double values[STATES][SYMBOLS][CLASSES] = {{
{rows}
}};
"""

_PREDICTION_DECLARED = """\
const double *predict(const int *numbers, size_t length); /* a number for each class, or NULL */
"""

_PREDICTION = """
const double *predict(const int *numbers, size_t length)
{
    int state = length > 0 ? run(numbers, length - 1) : -1;
    if (state < 0 || numbers[length - 1] < 0 || numbers[length - 1] >= SYMBOLS)
        return NULL;
    return values[state][numbers[length - 1]];
}
"""


def to_c(automaton: Automaton) -> str:
    """The source of a C99 file with the table, `encode`, `run` and `classify`, `distribution`
    where there are probabilities, and `predict` where there are numbers, in ASCII.

    Raises:
        AutomatonError: a name holds the character U+0000, which ends a text in C, or one that UTF-8
            lacks."""
    probabilities = declaration = function = ""
    if automaton.values is not None:
        rows = "\n".join(
            fill_row(f"{{{', '.join(f'{{{str(row)[1:-1]}}}' for row in table)}}},")
            for table in automaton.values.tolist()
        )
        probabilities = _NUMBERS.format(rows=rows)
        declaration, function = _PREDICTION_DECLARED, _PREDICTION
    if automaton.probabilities is not None:
        shares = automaton.probabilities.tolist()
        rows = "\n".join(fill_row(f"{{{str(row)[1:-1]}}},") for row in shares)
        probabilities = _PROBABILITIES.format(rows=rows)
        declaration, function = _DECLARATION, _DISTRIBUTION
    return _FILE.format(
        size=describe(automaton),
        states=automaton.n_states,
        symbols=len(automaton.alphabet),
        n_classes=len(automaton.classes),
        start=automaton.start,
        unknown=-1 if automaton.alphabet.unknown is None else automaton.alphabet.unknown,
        alphabet="\n".join(f"    {_quote(symbol)}," for symbol in automaton.alphabet),
        classes="\n".join(f"    {_quote(name)}," for name in automaton.classes),
        type=_type(automaton.n_states),
        class_type=_type(len(automaton.classes)),
        transitions="\n".join(
            fill_row(f"{{{str(row)[1:-1]}}},") for row in automaton.transitions.tolist()
        ),
        outputs=fill_row(str(automaton.outputs.tolist())[1:-1]),
        declaration=declaration,
        probabilities=probabilities,
        distribution=function,
    )


def _type(count: int) -> str:
    """The smallest type that C promises to hold so many different numbers."""
    return (
        "unsigned char"
        if count <= 1 << 8
        else "unsigned short"
        if count <= 1 << 16
        else "unsigned long"
    )


def _quote(text: str) -> str:
    """A string literal: what is not plain ASCII in octal, which ends after three digits, and no
    trigraph (`??/`)."""
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        raise AutomatonError(f"expected names that UTF-8 can write, got {text!r}") from None
    if 0 in encoded:
        raise AutomatonError(
            f"U+0000 ends a text in C, but {text!r} goes on; export as python or json"
        )
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in encoded
    )
    return f'"{"".join(plain)}"'
