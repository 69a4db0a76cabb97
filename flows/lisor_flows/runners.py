"""The runners of tasks: threads or processes of this computer, or a cluster of Dask or Ray."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor_flows.server import LOOPBACK
from lisor_tasks.lifeline import end_with_parent

Runner: TypeAlias = TaskRunner[PrefectFuture[Any]]

CONNECT_SECONDS = 10
"""The most seconds until a cluster answers."""


def find_runner(plan: Experiment) -> Runner:
    """The runner of an experiment, not started. On one computer it runs as many tasks at a time as
    there are cores for their threads.

    Raises:
        ConfigError: it needs an extra that is not installed, or nothing answers at its address."""
    if plan.runner_address is not None:
        _check_answers(plan.runner_address)
    makers: dict[str, Callable[[Experiment], Any]] = {
        "threads": lambda plan: ThreadPoolTaskRunner(max_workers=_side_by_side(plan)),
        "processes": lambda plan: ProcessPoolTaskRunner(
            max_workers=_side_by_side(plan), initializer=begin_worker
        ),
        "dask": _dask,
        "ray": _ray,
    }
    try:
        runner: Any = makers[plan.runner](plan)
    except ModuleNotFoundError:
        extra = plan.runner
        raise ConfigError(
            f"runner {extra} needs the extra {extra}; run: pip install 'lisor[{extra}]'"
        ) from None
    return runner  # type: ignore[no-any-return]  # the type parameter of runners is invariant


@contextmanager
def start_runner(plan: Experiment) -> Iterator[Runner]:
    """The runner of the current flow, started; it is stopped at the end of the block.

    Raises:
        ConfigError: as `find_runner`, or the cluster refuses this run."""
    with ExitStack() as running:
        context = FlowRunContext.get()
        # else each process starts a temporary server for itself
        if plan.runner != "threads" and context is not None:
            running.enter_context(
                temporary_settings({PREFECT_API_URL: str(context.client.api_url).rstrip("/")})
            )
        if plan.runner == "ray":
            from prefect_ray.context import remote_options

            running.enter_context(remote_options(num_cpus=plan.threads))
        runner = find_runner(plan)
        try:
            running.enter_context(runner)
        except OSError as error:
            # Ray's, if a token is missing or wrong; Dask's, if another program has the port
            raise ConfigError(
                f"the cluster at runner_address {plan.runner_address} does not let this run in "
                f"({error}); if it is Ray's and asks for a token, "
                "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here too"
            ) from None
        yield runner


def _check_answers(address: str) -> None:
    """Check that a cluster answers at an address: Ray itself tries for minutes.

    Raises:
        ConfigError: nothing answers there."""
    try:
        socket.create_connection(
            (_host(address), int(address.rpartition(":")[2])), timeout=CONNECT_SECONDS
        ).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no cluster answers at runner_address {address} ({error}); start it, or correct it"
        ) from None


def _host(address: str) -> str:
    return address.rpartition("://")[2].rpartition(":")[0].strip("[]")


def _side_by_side(plan: Experiment) -> int:
    """The number of tasks that run at a time on this computer."""
    return max(1, (os.cpu_count() or 1) // plan.threads)


def begin_worker() -> None:
    """Make this process end with the run and ignore Ctrl-C, which the run alone handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _dask(plan: Experiment) -> Any:
    from prefect_dask.task_runners import DaskTaskRunner

    if plan.runner_address is not None:
        return DaskTaskRunner(address=plan.runner_address)
    workers = {"n_workers": _side_by_side(plan), "threads_per_worker": 1}
    return DaskTaskRunner(
        cluster_kwargs={"host": LOOPBACK[0], "dashboard_address": None, **workers}
    )


def _ray(plan: Experiment) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if plan.runner_address is None or _host(plan.runner_address) in LOOPBACK:
        # a Ray that is started here listens on 127.0.0.1 alone, and only there it is looked for
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    from prefect_ray.task_runners import RayTaskRunner

    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if plan.runner_address is not None:
        return RayTaskRunner(address=plan.runner_address, init_kwargs=quiet)
    here = {"address": "local", "include_dashboard": False, "num_cpus": os.cpu_count()}
    return RayTaskRunner(init_kwargs={**quiet, **here})
