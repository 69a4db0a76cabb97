"""A run as the command line starts it: planned, or run with a server that is given or its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lisor.errors import ConfigError, ServerError, one_line, show
from lisor_flows import server, stopping
from lisor_flows.summary import conclude
from lisor_flows.terminal import print_warnings

if TYPE_CHECKING:
    from lisor.settings.experiment import Experiment

LOADED_AHEAD = (
    "torch",
    "lisor.networks.training",
    "lisor.clustering.clustering",
    "lisor.evaluation.evaluation",
    "lisor.report.embedding",
)
"""Modules that take seconds to load and that nearly every run needs that computes something."""


def run(settings: dict[str, Any], out: Path | None, *, only_plan: bool = False) -> None:
    """Run an experiment and print its summary, or only plan it."""
    from lisor.settings.experiment import Experiment
    from lisor.settings.memory import check_fits

    plan = Experiment(**settings)
    check_fits(plan)
    check_unicode(out)
    with stopping.ending_at_once():
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        )

        from lisor_flows.pipeline import plan_pipeline
        from lisor_flows.runners import find_runner
        from lisor_flows.sources import find_sources
        from lisor_tasks.artifacts import open_store
        from lisor_tasks.caching import load_ahead
        from lisor_tasks.published import check_out
        from lisor_tasks.register import registered

        if out is not None:
            check_out(out.absolute())
        for study in plan.studies:
            find_sources(study)  # before anything starts: a missing file should not take a minute
        if only_plan:
            print(plan_pipeline(plan))
            return
        print_warnings()
        find_runner(plan)  # a missing extra should not take a minute either
        url = PREFECT_API_URL.value()
        if url:
            server.check_answers(url)
            conclude(_run_flow(plan, out))
            return
        temporary = server.TemporaryServer(open_store())
        known = any(kept.startswith(f"{plan.name}/") for kept in registered())
        if plan.runner == "threads" and not known:  # else most comes from the cache
            load_ahead(*LOADED_AHEAD)
        temporary.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
        with server.serving(temporary.url):
            conclude(_run_flow(plan, out))


def _run_flow(plan: Experiment, out: Path | None) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        ServerError: Prefect's server went away before the run was whole."""
    import httpx

    from lisor_flows.pipeline import run_pipeline

    try:
        return run_pipeline(plan, None if out is None else str(out))
    except httpx.HTTPError as error:
        reason = one_line(str(error), 120) or type(error).__name__
        raise ServerError(
            f"Prefect's server answers no more ({reason}); what was finished is kept: "
            "run again when it is back"
        ) from error


def check_unicode(*arguments: object) -> None:
    """Check that pages and records can hold the arguments, unlike a file name in Latin-1.

    Raises:
        ConfigError: an argument cannot be written as UTF-8."""
    for argument in map(str, arguments):
        if argument.encode(errors="ignore").decode() != argument:
            raise ConfigError(f"expected Unicode text, got {show(argument)}; give another name")
