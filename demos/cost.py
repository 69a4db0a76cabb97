"""What it costs to hand tasks to each runner, and what one machine holds: the tables of
docs/scaling.md.

python -m demos.cost FILE        prints the tables, and writes each into the file between its two
                                 marks"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from demos.servers import ROOT, python
from lisor.settings.experiment import RUNNERS

TASKS = 60

WORDS = (1_000, 10_000, 100_000)
"""Validation words of the runs that show what one machine holds; a word of up to 50 symbols has 50
hidden states."""

STAGES = ("dump", "cluster", "extract", "evaluate", "this_run")

LARGE = """\
name: large
datasets:
- {language: "000", train: 2000, validation: %d, selection: 1000, test: 1000, max_length: 50}
models: {cells: [gru], hidden_size: 64}
training: {trials: 1}
clustering: {k: [2, 32]}
"""

MEASURE = """
import json, sys, time
from prefect import flow, task
from lisor_flows.runners import start_runner
from lisor.settings.experiment import Experiment

@task
def nothing(number: int) -> int:
    return number

@flow
def hand_out(runner: str, count: int) -> list[float]:
    begun = time.perf_counter()
    settings = Experiment(name="cost", datasets=[{"language": "000"}], runner=runner)
    with start_runner(settings) as started:
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
    write(target, "cost", lines)
    write(target, "size", [*sizes()])


def write(target: Path, mark: str, lines: list[str]) -> None:
    """Put lines between a mark of a file and the end of its part."""
    before, opened, rest = target.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    table = "\n".join(lines)
    target.write_text(
        f"{before}{opened}{table}\n{rest[rest.index('<!-- end -->') :]}", encoding="utf-8"
    )


def sizes() -> Iterator[str]:
    """What runs of more and more hidden states take."""
    yield "| hidden states | dump | cluster | extract | evaluate | run | memory | store |"
    yield "|---|---|---|---|---|---|---|---|"
    for words in WORDS:
        with TemporaryDirectory(prefix="lisor-cost-") as folder:
            config, store = Path(folder, "large.yaml"), Path(folder, "store")
            config.write_text(LARGE % words, encoding="utf-8")
            environment = {
                **os.environ,
                "LISOR_HOME": str(store),
                "PREFECT_HOME": f"{folder}/prefect",
            }
            command = [sys.executable, "-m", "lisor_flows.cli", "run", str(config)]
            with Path(folder, "said").open("wb") as said:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=said, stderr=said
                )
                _, status, used = os.wait4(process.pid, 0)
            if status:
                sys.exit(Path(folder, "said").read_text(encoding="utf-8"))
            summary = store / "reports/large/latest/summary.json"
            seconds = json.loads(summary.read_text(encoding="utf-8"))["seconds"]
            (dump,) = store.glob("store/hidden-states/*/states.parquet")
            states = pq.read_metadata(dump).num_rows
            stored = sum(path.stat().st_size for path in (store / "store").rglob("*"))
            stages = " | ".join(f"{seconds[stage]:.0f} s" for stage in STAGES)
            line = (
                f"| {states:,} | {stages} | {used.ru_maxrss / 1e6:.1f} GB | "
                f"{stored / 1e6:,.0f} MB |"
            )
            print(line, flush=True)
            yield line


def hand_out(folder: Path, runner: str) -> list[float]:
    """Seconds until a runner has done its first tasks, and those of each task then."""
    environment = {**os.environ, "PREFECT_HOME": f"{folder}/prefect"}
    environment |= {
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }
    printed = python(str(folder / "measure.py"), runner, str(TASKS), environment=environment)
    found: list[float] = json.loads(printed.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
