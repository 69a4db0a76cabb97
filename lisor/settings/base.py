"""What all settings have in common: values that never change, checked when they are made; what is
wrong is one line."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, NoReturn, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from lisor.errors import ConfigError, show

LARGEST = 2**31 - 1
"""Of numbers of things: files count in 32 bits."""

LARGEST_SEED = 2**32 - 1
"""As scikit-learn takes them."""

_SHOWN = 60
"""Characters of a name that are compared with known ones."""

_REFUSED = "refused"
"""The type of an error whose reason is complete."""


class UnknownSettingError(ConfigError):
    """A setting is unknown; the nearest of the known `keys` is given."""

    def __init__(self, key: str, keys: Iterable[str], nearest: str | None = None) -> None:
        self.key, self.keys = key, tuple(keys)
        self.nearest = nearest or get_close_matches(key[:_SHOWN], self.keys, n=1, cutoff=0.0)[0]
        super().__init__(f"unknown setting {show(key)}; the nearest known one is {self.nearest!r}")


class Settings(BaseModel):
    """One section of settings.

    Raises:
        ConfigError: a setting is unknown (the nearest known name is given), of the wrong type or
            out of range."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    SECTION: ClassVar[str] = ""
    """The name of the section, with which the full names of its settings begin."""

    REPLACED: ClassVar[Mapping[str, str]] = {}
    """Settings that there were, and what to do instead."""

    def __init__(self, /, **values: Any) -> None:
        for name, value in values.items():
            if not _is_unicode(value):
                raise ConfigError(f"{self.key(name)} must be Unicode text, got {show(value)}")
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        try:
            super().__init__(**values)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            unknown = [one for one in errors if one["type"] == "extra_forbidden"]
            self._refuse((unknown or errors)[0], values)

    def replace(self, **changes: Any) -> Self:
        """These settings with some of them changed, checked anew."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **changes})

    @classmethod
    def key(cls, name: str) -> str:
        """The full name of a setting, as `--set` takes it."""
        return f"{cls.SECTION}.{name}".lstrip(".")

    @classmethod
    def refuse_unknown(cls, name: str, known: Iterable[str]) -> NoReturn:
        """Raises ConfigError with the nearest of the known names of this section."""
        if name in cls.REPLACED:
            raise ConfigError(f"{cls.key(name)} is no setting any more; {cls.REPLACED[name]}")
        raise UnknownSettingError(cls.key(name), [cls.key(one) for one in known])

    @classmethod
    def _refuse(cls, problem: ErrorDetails, values: Mapping[str, Any]) -> NoReturn:
        name, kind = str(problem["loc"][0]), problem["type"]
        if kind == "extra_forbidden":
            cls.refuse_unknown(name, cls.model_fields)
        field, key = cls.model_fields[name], cls.key(name)
        if kind == _REFUSED:
            raise ConfigError(f"{key} {problem['ctx']['reason']}")
        if kind == "literal_error":
            raise ConfigError(
                f"{key} {not_among(problem['input'], typing.get_args(field.annotation))}"
            )
        if kind == "missing" and len(problem["loc"]) == 1:
            raise ConfigError(f"the settings need {key!r}: {field.description}")
        bounds = _bounds(field, problem)
        if bounds:
            raise ConfigError(f"{key} must be {bounds}, got {show(problem['input'])}")
        given = list(values[name]) if isinstance(values[name], tuple) else values[name]
        hint = "; put it in quotes" if kind == "string_type" else ""
        example = example_of(field)
        form = form_of(field) if example is None else f"{form_of(field)}, for example {example}"
        raise ConfigError(f"{key} takes {form}; got {show(given)}{hint}")


@dataclass(frozen=True)
class Keyed:
    """In the metadata of a setting: what of it is part of the keys of results.

    A setting that says where a file lies, whose content counts, or how many results are made, each
    by itself, is not `in_key`; it may depend on its value. At its `neutral` value everything is as
    it was before there was such a setting: there it changes no key, so that a new one makes nothing
    run again. None, False and an empty list are neutral without."""

    in_key: Callable[[Any], bool] = lambda value: True
    neutral: object = None


NOT_IN_KEY = Keyed(in_key=lambda value: False)


@dataclass(frozen=True)
class Form:
    """In the metadata of a setting: the form of its value, in words."""

    text: str


@dataclass(frozen=True)
class Choice:
    """In the metadata of a text: it is one of some names, which are asked for each time, since
    names may be added. A name may also begin with one of the `prefixes`."""

    names: Callable[[], Iterable[str]]
    prefixes: tuple[str, ...] = ()

    def check(self, value: str) -> str:
        """The text, if it is one of the names."""
        names = (*self.names(), *(f"{prefix}…" for prefix in self.prefixes))
        if value not in names and not value.startswith(self.prefixes or "\0"):
            raise refused(not_among(value, names))
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        names: JsonSchemaValue = {"type": "string", "enum": [*self.names()]}
        pattern = {"type": "string", "pattern": f"^({'|'.join(self.prefixes)})"}
        return {"anyOf": [names, pattern]} if self.prefixes else names


def different(values: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if there is one or more and none is there twice."""
    if not values or len(set(values)) < len(values):
        raise refused(f"must list one or more different names, got {show(list(values))}")
    return values


def refused(reason: str) -> PydanticCustomError:
    """The error of a setting whose name and this reason make a sentence."""
    return PydanticCustomError(_REFUSED, "{reason}", {"reason": reason})


def not_among(value: object, names: Iterable[str]) -> str:
    """What a value that is none of the names should have been."""
    known = [str(name) for name in names]
    near = get_close_matches(str(value)[:_SHOWN], known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near and isinstance(value, str) else ""
    return f"must be one of {', '.join(known)}, got {show(value)}{hint}"


def form_of(field: FieldInfo) -> str:
    """The form of a setting's value, in words."""
    if typing.get_origin(field.annotation) is Literal:
        return f"one of {', '.join(typing.get_args(field.annotation))}"
    form = next((one.text for one in field.metadata if isinstance(one, Form)), None)
    return form or _WORDS.get(type_of(field), "a list of names")


def example_of(field: FieldInfo) -> str | None:
    """A value of a setting, as YAML has it; None of truth values."""
    known = [] if field.is_required() else [field.default]
    example = next((one for one in (*known, *(field.examples or ())) if one), None)
    return None if example is None or type_of(field) is bool else written(example)


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def type_of(field: FieldInfo) -> Any:
    """The type of a setting's value where there is one: of `X | None` it is X."""
    kind: Any = field.annotation
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        kind = typing.get_args(kind)[0]
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def written(value: object) -> str:
    """A value as YAML has it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(written, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(field: FieldInfo, problem: ErrorDetails) -> str | None:
    """The range that a number is out of, in words; None for another problem."""
    if problem["type"] not in (*_COMPARISONS, "finite_number"):
        return None
    limits = {
        name: getattr(one, name) for one in field.metadata for name in _LIMITS if hasattr(one, name)
    }
    if "lt" not in limits and problem["type"] in _COMPARISONS:
        limits = {_COMPARISONS[problem["type"]]: next(iter(problem["ctx"].values()))}
    shown = {name: int(limit) if limit == int(limit) else limit for name, limit in limits.items()}
    return " and ".join(f"{_LIMITS[name]} {limit:,}" for name, limit in shown.items())


_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_COMPARISONS = {
    "greater_than_equal": "ge",
    "greater_than": "gt",
    "less_than_equal": "le",
    "less_than": "lt",
}


def _is_unicode(value: object) -> bool:
    """Whether every text of a value can be written as UTF-8, which half of a surrogate pair
    cannot."""
    texts = value if isinstance(value, list | tuple) else [value]
    return not any(
        isinstance(text, str) and any("\ud800" <= one <= "\udfff" for one in text) for text in texts
    )
