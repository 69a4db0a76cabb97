"""What it costs to hand tasks to each runner, and what a small run takes on each: the tables of docs/scaling.md.

python -m demos.cost FILE        prints the table, and writes it into the file between its two marks"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from demos.cluster import CONFIG, run

RUNNERS = ("threads", "processes", "dask", "ray")

TASKS = 60

MEASURE = """
import json, sys, time
from prefect import flow, task
from flows.runners import start_runner
from lisor.settings import experiment

@task
def nothing(number: int) -> int:
    return number

@flow
def hand_out(runner: str, count: int) -> list[float]:
    begun = time.perf_counter()
    with start_runner(experiment({"name": "cost", "datasets": [{"language": "000"}], "runner": runner})) as started:
        warm = [started.submit(nothing, {"number": -1 - i}) for i in range(4)]
        [future.result() for future in warm]
        ready = time.perf_counter()
        futures = [started.submit(nothing, {"number": i}) for i in range(count)]
        assert [future.result() for future in futures] == list(range(count))
        return [ready - begun, (time.perf_counter() - ready) / count]

if __name__ == "__main__":
    print(json.dumps(hand_out(sys.argv[1], int(sys.argv[2]))))
"""


def main() -> None:
    """Measure and write."""
    target = Path(sys.argv[1])
    heading = "| runner | ready after | a task | a run of 15 tasks | the same from the cache |"
    lines = [heading, "|---|---|---|---|---|"]
    with TemporaryDirectory(prefix="lisor-cost-") as place:
        folder = Path(place)
        (folder / "measure.py").write_text(MEASURE, encoding="utf-8")
        (folder / "scaled.yaml").write_text(CONFIG, encoding="utf-8")
        run(folder / "scaled.yaml", folder / "first", "runner=threads")  # makes Prefect's database and warms the disk
        for runner in RUNNERS:
            ready, each = hand_out(folder, runner)
            runs = []
            for _ in range(2):
                begun = time.monotonic()
                run(folder / "scaled.yaml", folder / runner, f"runner={runner}")
                runs.append(time.monotonic() - begun)
            lines.append(f"| `{runner}` | {ready:.1f} s | {each * 1000:.0f} ms | {runs[0]:.0f} s | {runs[1]:.0f} s |")
            print(lines[-1], flush=True)
    load = f"load average {os.getloadavg()[1]:.0f} at the end"
    lines += ["", f"{os.cpu_count()} cores, {load}; {TASKS} tasks that do nothing."]
    table = "\n".join(lines)
    before, _, rest = target.read_text(encoding="utf-8").partition("<!-- cost -->\n")
    target.write_text(f"{before}<!-- cost -->\n{table}\n{rest[rest.index('<!-- end -->') :]}", encoding="utf-8")


def hand_out(folder: Path, runner: str) -> list[float]:
    """Seconds until a runner has done its first tasks, and those of each task then."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "PREFECT_HOME": f"{folder}/prefect"}
    environment |= {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    command = [sys.executable, str(folder / "measure.py"), runner, str(TASKS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
