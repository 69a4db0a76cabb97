"""What the settings say of themselves: a JSON Schema for editors, and a page for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lisor.settings.base import Settings, form_of, type_of, written
from lisor.settings.dataset import DATASETS
from lisor.settings.experiment import SECTIONS, Experiment


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a file of settings, whose name stands for that of the run where it has
    none."""
    schema = Experiment.model_json_schema()
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "required": ["datasets"]}


def page() -> str:
    """All settings as Markdown: a table for each kind of data, each section and the whole run."""
    kinds = {f"A dataset: {kind}": DATASETS[kind] for kind in DATASETS}
    sections = {f"Section {name}": type_of(Experiment.model_fields[name]) for name in SECTIONS}
    lines = [
        line
        for title, settings in {"The whole run": Experiment, **kinds, **sections}.items()
        for line in _table(title, settings)
    ]
    return "\n".join(lines)


def _table(title: str, settings: type[Settings]) -> Iterator[str]:
    about = " ".join((settings.__doc__ or "").split("\n\n")[0].split())
    yield from (f"## {title}", "", about, "")
    yield from ("| setting | value | unless given | what |", "|---|---|---|---|")
    shown = settings.model_json_schema()["properties"]
    for name, field in settings.model_fields.items():
        if name not in (*SECTIONS, "datasets"):
            usual = "" if field.is_required() else f"`{written(field.default)}`"
            value = _value(form_of(field), shown[name])
            yield f"| `{settings.key(name)}` | {value} | {usual} | {field.description} |"
    yield ""


def _value(form: str, schema: dict[str, Any]) -> str:
    """The form of a setting's value with its names or bounds."""
    parts = [schema, *schema.get("anyOf", ()), schema.get("items", {})]
    facts = {name: fact for part in parts for name, fact in part.items()}
    limits = [f"{words} {facts[name]:,}" for name, words in _LIMITS.items() if name in facts]
    names = [] if "const" in facts or form.startswith("one of") else facts.get("enum", [])
    listed = f": {', '.join(map(str, names))}" if names else ""
    return " ".join([form, " ".join(limits)]).strip() + listed


_LIMITS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}
