"""`mlflow models serve` of an automaton under parallel clients: errors, requests a second, and how
long one waits.

python -m benchmarks.serving [SECONDS]      after `lisor run quickstart`: serves its automaton of
                                            "000" on 127.0.0.1"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from demos.servers import free_port, running, wait_until_it_answers
from lisor_tasks.artifacts import open_store
from lisor_tasks.serving import ALIAS
from lisor_tasks.tracked import tracking_uri

CLIENTS = 4
SEQUENCES = 10
"""Of a request: words of up to 20 letters."""


def main(seconds: float = 60.0) -> None:
    """Serve, ask, and print what came of it."""
    with served(f"models:/quickstart-000@{ALIAS}") as url, ThreadPoolExecutor(CLIENTS) as pool:
        until = time.monotonic() + seconds
        waits = np.concatenate(
            list(pool.map(lambda client: _ask_until(url, client, until), range(CLIENTS)))
        )
    errors = int(np.isnan(waits).sum())
    median, late = 1e3 * np.nanquantile(waits, (0.5, 0.99))
    print(
        f"{len(waits):,} requests of {SEQUENCES} words by {CLIENTS} clients in {seconds:.0f} s: "
        f"{errors} errors, "
        f"{len(waits) / seconds:.0f} a second, median {median:.1f} ms, 99 % within {late:.1f} ms"
    )


@contextmanager
def served(model: str) -> Iterator[str]:
    """The address at which a registered model answers, until the context ends."""
    port = free_port()
    # MLflow starts uvicorn by its name
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "MLFLOW_TRACKING_URI": tracking_uri(open_store().home),
    }
    where = ("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port))
    with running(
        "-m", "mlflow", "models", "serve", "-m", model, *where, environment=environment
    ) as server:
        wait_until_it_answers(f"http://127.0.0.1:{port}/ping", server)
        yield f"http://127.0.0.1:{port}/invocations"


def ask(url: str, texts: list[str]) -> list[dict[str, object]]:
    """The server's answer to some sequences: class, state and path of each."""
    body = json.dumps(
        {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}}
    ).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        predictions: list[dict[str, object]] = json.loads(answer.read())["predictions"]
    return predictions


def _ask_until(url: str, client: int, until: float) -> np.ndarray:
    """The seconds that each request of a client took; not a number where it was not answered in
    full."""
    rng, waits = np.random.default_rng(client), []
    while time.monotonic() < until:
        texts = ["".join(rng.choice(["0", "1"], rng.integers(0, 21))) for _ in range(SEQUENCES)]
        started = time.perf_counter()
        try:
            right = len(ask(url, texts)) == SEQUENCES
        except OSError:
            right = False
        waits.append(time.perf_counter() - started if right else np.nan)
    return np.array(waits)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
