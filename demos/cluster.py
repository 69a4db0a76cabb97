"""The same run on threads and on a cluster of Dask or Ray of this machine: equal results, equal
artifacts.

python -m demos.cluster dask|ray        prints what it saw; its files lie in a folder that is
                                        deleted

The cluster is started apart from the run, as that of several machines would be: a scheduler and a
worker of Dask, or a head of Ray, on 127.0.0.1."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from demos.servers import free_port, python, running, wait

CONFIG = """\
name: scaled
datasets:
  - {language: "000", train: 1000, validation: 200, test: 200, selection: 200, max_length: 15}
models: {cells: [srn, gru], hidden_size: 10}
training: {trials: 1, max_epochs: 20}
clustering: {k: [2, 12]}
"""
"""The quickstart, cut down."""


def main() -> None:
    """Run it."""
    runner = sys.argv[1]
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("stopped")
    )  # so that the cluster is stopped too
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

    with TemporaryDirectory(prefix="lisor-demo-") as folder, ExitStack() as cluster:
        config = Path(folder, "scaled.yaml")
        config.write_text(CONFIG, encoding="utf-8")
        stores = [run(config, Path(folder, "threads"), "runner=threads")]
        say(f"on threads: {told(stores[0])}")
        address = {"dask": start_dask, "ray": start_ray}[runner](Path(folder), cluster)
        say(f"a cluster of {runner} answers at {address}")
        stores.append(
            run(config, Path(folder, runner), f"runner={runner}", f"runner_address={address}")
        )
        say(f"on {runner}: {told(stores[1])}")
        results = [store / "reports/scaled/latest/results.parquet" for store in stores]
        tables = [pd.read_parquet(path).drop(columns="seconds") for path in results]
        pd.testing.assert_frame_equal(*tables)
        say(f"results are equal: {len(tables[0])} rows")
        digests = [artifacts(store) for store in stores]
        if digests[0] != digests[1]:
            sys.exit(
                f"artifacts differ: {sorted(set(digests[0].items()) ^ set(digests[1].items()))}"
            )
        say(f"artifacts are equal: {len(digests[0])} digests")
    say("cluster stopped, all files deleted")


def run(config: Path, store: Path, *settings: str) -> Path:
    """The store in which an experiment has run."""
    changes = [part for setting in settings for part in ("--set", setting)]
    environment = {
        **os.environ,
        "LISOR_HOME": str(store),
        "PREFECT_HOME": str(store.parent / "prefect"),
    }
    python("-m", "lisor_flows.cli", "run", str(config), *changes, environment=environment)
    return store


def told(store: Path) -> str:
    """What a run's summary says."""
    summary = json.loads((store / "reports/scaled/latest/summary.json").read_text(encoding="utf-8"))
    return f"{summary['tasks']['run']} tasks run in {summary['seconds']['this_run']:.0f} s"


def artifacts(store: Path) -> dict[str, str]:
    """The digest of every artifact, by kind and key."""
    manifests = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in store.glob("store/*/*/manifest.json")
    ]
    return {f"{said['kind']}/{said['key']}": said["sha256"] for said in manifests}


def start_dask(folder: Path, cluster: ExitStack) -> str:
    """The address of a scheduler with two workers, which know nothing of the store."""
    address, local = (
        f"tcp://127.0.0.1:{free_port()}",
        ("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
    )
    where = ("--host", "127.0.0.1", "--port", address.rpartition(":")[2])
    start(
        "-m",
        "distributed.cli.dask_scheduler",
        *where,
        *local,
        log=folder / "scheduler.log",
        cluster=cluster,
    )
    workers = (address, "--host", "127.0.0.1", "--nthreads", "1", "--nworkers", "2")
    start(
        "-m",
        "distributed.cli.dask_worker",
        *workers,
        *local,
        log=folder / "workers.log",
        cluster=cluster,
    )
    wait(lambda: (folder / "scheduler.log").read_text().count("Register worker") == 2, 120)
    return address


def start_ray(folder: Path, cluster: ExitStack) -> str:
    """The address of a head of Ray, which knows nothing of the store and asks for a token."""
    token, port = folder / "token", str(free_port())
    token.write_text(secrets.token_hex())
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
    head = ("--head", "--port", port, "--num-cpus", "2", "--include-dashboard", "false", "--block")
    start("-m", "ray.scripts.scripts", "start", *head, log=folder / "ray.log", cluster=cluster)
    wait(lambda: "Ray runtime started" in (folder / "ray.log").read_text(), 120)
    return f"127.0.0.1:{port}"


def start(*arguments: str, log: Path, cluster: ExitStack) -> None:
    """Start a part of a cluster, on this machine only, which is stopped in the end."""
    environment = {name: value for name, value in os.environ.items() if name != "LISOR_HOME"}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    cluster.enter_context(running(*arguments, environment=environment, log=log, cwd=log.parent))


if __name__ == "__main__":
    main()
