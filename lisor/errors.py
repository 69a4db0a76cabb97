"""The tree of errors. Each message says what was expected, what came, and what to do."""


class LisorError(Exception):
    """Anything a user can put right; the command line prints it as one line and exits with 2."""


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
    """MLflow cannot be told of a run."""


class ServerError(LisorError):
    """Prefect's server does not answer."""


class DataWarning(UserWarning):
    """Part of the input was left out; the message says how much and why."""


class StoreWarning(UserWarning):
    """Part of the store was damaged and is made anew; the message says what."""
