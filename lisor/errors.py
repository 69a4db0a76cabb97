"""The tree of errors. Each message says what was expected, what came, and what to do."""

from __future__ import annotations

from reprlib import Repr

MAX_LINE = 300
"""The most characters of a line that a user is shown."""

MAX_REPR = 160
"""The most characters of the repr of a value of many parts."""

MAX_MESSAGE = MAX_LINE - 20
"""The most characters of a message: a line begins with the name of the program."""


class LisorError(Exception):
    """Anything a user can put right; the command line prints it as one line and exits with 2.

    Its message is one line of at most `MAX_MESSAGE` characters, whatever values stand in it."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message), MAX_MESSAGE))


class ConfigError(LisorError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(LisorError):
    """A file of sequences or word vectors cannot be used as it is."""


class LanguageError(LisorError):
    """A regular language is malformed, empty or full."""


class ModelError(LisorError):
    """A network's weights or sizes do not fit together."""


class AutomatonError(LisorError):
    """A table of transitions does not describe a complete automaton."""


class SchemaError(LisorError):
    """A file was written by another version of this program."""


class StoreError(LisorError):
    """The artifact store cannot be read or written."""


class TrackingError(LisorError):
    """A run cannot be logged to MLflow."""


class ServerError(LisorError):
    """Prefect's server does not answer."""


class DataWarning(UserWarning):
    """Part of the input was left out; the message says how much and why."""


class StoreWarning(UserWarning):
    """Part of the store was damaged and is made anew; the message says what."""


def one_line(text: str, length: int = MAX_LINE) -> str:
    """A text on one line of at most so many characters; of a longer one the middle is left out."""
    if len(text) > 8 * length:  # most of it is left out anyway
        text = f"{text[: 4 * length]} … {text[-4 * length :]}"
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    end = length // 3
    return f"{line[: length - end - 3]} … {line[-end:]}"


class _Shown(Repr):
    """Values as messages show them: a few of their parts, and numbers of hundreds of digits by
    their length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxstring, self.maxother = 2, 3, 60, 60
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 4

    def repr_int(self, x: int, level: int) -> str:
        digits = int(x.bit_length() * 0.30103) + 1  # Python refuses to write out more than 4,300
        return repr(x) if digits <= 40 else f"a number of about {digits:,} digits"


show = _Shown().repr
"""A value as a message shows it, in at most some hundred characters."""
