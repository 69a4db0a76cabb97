"""Write docs/benchmarks.md and its picture from what the benchmarks measured.

python -m docs.write_benchmarks ROWS.json GROWTH.json LANGUAGES.json [DEVICE.json]

Without DEVICE.json the page keeps what it says of a GPU, which says where and when that was
measured.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/benchmarks.md"
PICTURE = "images/growth.svg"
GPU, LANGUAGES = "## On a GPU", "## Languages drawn at random"
TITLES = {"P": "points", "k": "clusters", "H": "hidden units"}


def main() -> None:
    """Read the files, write the page and the picture."""
    rows, growth, languages, *device = (json.loads(Path(path).read_text()) for path in sys.argv[1:])
    table = pd.DataFrame(growth)
    slopes = {name: _exponent(own) for name, own in table.groupby("varied", sort=False)}
    _draw(table, slopes)
    on_gpu = list(_device(*device[0])) if device else _kept()
    PAGE.write_text(
        "\n".join([*_page(rows, slopes), *on_gpu, *_languages(languages)]) + "\n", encoding="utf-8"
    )


def _page(rows: list[dict[str, object]], slopes: dict[str, float]) -> Iterator[str]:
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-learn", "torch", "aalpy")
    )
    yield "# Benchmarks"
    yield ""
    yield (
        "Written by `make bench` from what it measured; the rules of fair play and what each row "
        "does are in"
    )
    yield (
        f"[benchmarks/README.md](../benchmarks/README.md). {os.cpu_count()} cores, "
        f"{platform.machine()}, Python"
    )
    yield f"{platform.python_version()}, {versions}."
    yield ""
    yield from _table(rows)
    yield ""
    yield "## How the cost of clustering grows"
    yield ""
    yield (
        "k-means for one k, on states of an untrained network; 1,000,000 points, 16 clusters and "
        "64 units where"
    )
    exponents = ", ".join(f"{TITLES[name]}^{slope:.2f}" for name, slope in slopes.items())
    yield (
        "another of them varies. Fitted to the three largest values, the time grows as "
        f"{exponents}."
    )
    yield ""
    yield f"![time against points, clusters and hidden units]({PICTURE})"


def _table(rows: list[dict[str, object]]) -> Iterator[str]:
    yield "| name | ours, s | peer, s | ratio | memory, MB | quality |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        figures = (
            _figure(row[name])
            for name in ("ours_seconds", "peer_seconds", "ratio", "peak_memory_mb")
        )
        yield f"| {row['name']} | {' | '.join(figures)} | {row['quality']} |"


def _kept() -> list[str]:
    """The section of the page as it stands."""
    page = PAGE.read_text(encoding="utf-8")
    return ["", *page[page.index(GPU) : page.index(LANGUAGES)].rstrip().splitlines()]


def _device(about: dict[str, Any], *rows: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield GPU
    yield ""
    yield f"`python -m benchmarks.device FILE` on one {about['device']}, torch {about['torch']},"
    yield f"on {date.today()}."
    yield ""
    yield from _table([row for row in rows if "ratio" in row])
    yield ""
    yield (
        "How far one step is from what the device can do: for k-means the bytes of the points, "
        "read once for each k,"
    )
    yield (
        "beside the bandwidth of a copy; for training the float32 matrix products beside the rate "
        "of one of 8192²."
    )
    yield ""
    yield "| step | ms | reached | the device | share |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows:
        if "step" in row:
            reached, most, unit = row["reached"], row["most"], row["unit"]
            figures = (
                f"{row['seconds'] * 1e3:.1f} | {reached:.2f} {unit} | {most:.1f} {unit} | "
                f"{reached / most:.1%}"
            )
            yield f"| {row['step']} | {figures} |"


def _languages(rows: list[dict[str, object]]) -> Iterator[str]:
    wrong = [row for row in rows if not row["exact"]]
    yield ""
    yield LANGUAGES
    yield ""
    yield (
        f"Of {len(rows)} minimal automata drawn with 2 to 10 states (`python -m "
        "benchmarks.random_languages`, gru"
    )
    yield (
        f"of 10 hidden units, words of up to 20 symbols) {len(rows) - len(wrong)} came out "
        "exactly. Where one did"
    )
    yield (
        "not, the shortest word that tells the two apart was shown to the network: if it is wrong "
        "there too, the"
    )
    yield "network is at fault, else the extraction."
    yield ""
    columns = {
        "seed": "seed",
        "states": "states",
        "states_found": "found",
        "exact": "exact",
        "fault": "at fault",
        "word": "word",
        "validation_accuracy": "network, validation",
        "worst_test_accuracy": "network, worst test set",
        "restarts": "restarts",
        "train_seconds": "training, s",
        "extract_seconds": "extraction, s",
    }
    yield f"| {' | '.join(columns.values())} |"
    yield "| --- " * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(_cell(row[name]) for name in columns)} |"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"`{value}`" if value else "the empty word"
    return _figure(value)


def _figure(value: object) -> str:
    return "–" if value is None else f"{value:.4g}"


def _exponent(own: pd.DataFrame) -> float:
    largest = own.nlargest(3, "value")
    return float(np.polyfit(np.log(largest["value"]), np.log(largest["seconds"]), 1)[0])


def _draw(table: pd.DataFrame, slopes: dict[str, float]) -> None:
    figure, axes = plt.subplots(1, len(TITLES), figsize=(9, 2.8), sharey=True, layout="constrained")
    for axis, (name, own) in zip(axes, table.groupby("varied", sort=False), strict=True):
        axis.loglog(own["value"], own["seconds"], "o-")
        axis.set(xlabel=TITLES[name], title=f"exponent {slopes[name]:.2f}")
    axes[0].set_ylabel("seconds")
    with plt.rc_context({"svg.hashsalt": "growth"}):
        figure.savefig(ROOT / "docs" / PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
