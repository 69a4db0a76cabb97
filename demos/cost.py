"""What it costs to hand tasks to each runner: the table of docs/scaling.md.

python -m demos.cost FILE        prints the table, and writes it into the file between its two marks"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from demos.servers import ROOT, python
from lisor.config import RUNNERS

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
    lines = ["| runner | ready after | a task |", "|---|---|---|"]
    with TemporaryDirectory(prefix="lisor-cost-") as folder:
        (Path(folder) / "measure.py").write_text(MEASURE, encoding="utf-8")
        hand_out(Path(folder), "threads")  # makes Prefect's database and warms the disk
        for runner in RUNNERS:
            ready, each = hand_out(Path(folder), runner)
            lines.append(f"| `{runner}` | {ready:.1f} s | {each * 1000:.0f} ms |")
            print(lines[-1], flush=True)
    load = f"load average {os.getloadavg()[1]:.0f} at the end"
    lines += ["", f"{os.cpu_count()} cores, {load}; {TASKS} tasks that do nothing."]
    table = "\n".join(lines)
    before, _, rest = target.read_text(encoding="utf-8").partition("<!-- cost -->\n")
    target.write_text(f"{before}<!-- cost -->\n{table}\n{rest[rest.index('<!-- end -->') :]}", encoding="utf-8")


def hand_out(folder: Path, runner: str) -> list[float]:
    """Seconds until a runner has done its first tasks, and those of each task then."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": f"{folder}/prefect"}
    environment |= {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    printed = python(str(folder / "measure.py"), runner, str(TASKS), environment=environment)
    found: list[float] = json.loads(printed.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
