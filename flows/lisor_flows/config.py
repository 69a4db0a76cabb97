"""The commands `lisor config …`: the schema of all settings, and the settings of a file."""

from __future__ import annotations

import json
from typing import Annotated, TypeAlias

import typer

from lisor_flows.configs import read_config
from lisor_flows.terminal import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Show what settings there are, or those of a file.",
    rich_markup_mode=None,
)

Config: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="A YAML file, or a name: of settings that come with lisor, or in configs/."
    ),
]
Changes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
]


@app.command()
def schema() -> None:
    """Print the JSON Schema of a file of settings, for editors."""
    from lisor.settings.schema import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))


@app.command()
def show(config: Config, changes: Changes = None) -> None:
    """Print all settings of a run, with the defaults of those that are not given."""
    import yaml

    from lisor.settings.experiment import Experiment

    plan = Experiment(**read_config(config, changes or []))
    values = plan.model_dump(mode="json")
    values = {"name": values.pop("name"), "datasets": values.pop("datasets"), **values}
    text = yaml.safe_dump(
        values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120
    )
    print(text, end="")
