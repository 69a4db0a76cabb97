"""A browser, and one small run whose data are as hostile as they come."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Error, Page, expect

from demos.chromium import CHROMIUM, chromium

PATIENCE = 60_000
"""Milliseconds that a page may take on a loaded machine."""

TAKE_OVER = "document.title = 'taken'"
SCRIPT = f"<script>{TAKE_OVER}</script>"
IMAGE = f'<img src=x onerror="{TAKE_OVER}">'


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no browser; run: apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with nothing in it, of a profile that has seen nothing; none of its scripts may
    fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    errors: list[Error] = []
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(error))
    yield opened
    context.close()
    assert not errors


@dataclass(frozen=True)
class Run:
    """A finished run: its store, the folder of its report, and the page that explains one
    review."""

    home: Path
    report: Path
    explanation: Path


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A language and reviews in which symbols, classes, reviews and notes are HTML that would take
    over the page."""
    folder = tmp_path_factory.mktemp("browsed")
    config, home = folder / "browsed.yaml", folder / "store"
    config.write_text(yaml.safe_dump(write_data(folder)), encoding="utf-8")
    environment = {**os.environ, "LISOR_HOME": str(home), "PREFECT_HOME": str(folder / "prefect")}
    asked = [
        "explain",
        "--run",
        "browsed",
        "--text",
        f"{SCRIPT} good",
        "--out",
        str(folder / "explanation.html"),
    ]
    for arguments in (["run", str(config)], asked):
        command = [sys.executable, "-m", "lisor_flows.cli", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, done.stderr
    return Run(home, home / "reports/browsed/latest", folder / "explanation.html")


def write_data(folder: Path) -> dict[str, object]:
    """The files of the run, and its settings."""
    automaton = {
        "schema": 1, "alphabet": [SCRIPT, "b"], "classes": ["no", IMAGE], "start": 0,
        "transitions": [[1, 0], [1, 0]], "outputs": [0, 1], "unknown": None, "tokenizer": None,
    }  # fmt: skip
    (folder / "language.json").write_text(json.dumps(automaton), encoding="utf-8")
    with (folder / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "split"])
        for number in range(120):
            text = f"{SCRIPT} it was {'good' if number % 2 else 'bad'} & long, {number} {IMAGE}"
            split = ("train", "train", "test", "validation")[number // 2 % 4]
            rows.writerow([text, IMAGE if number % 2 else "<i>against</i>", split])
    with (folder / "notes.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["unit", "note"], ["0", f"{SCRIPT} reads 'good'"]])
    return {
        "name": "browsed",
        "datasets": [
            {
                "language": f"automaton:{folder / 'language.json'}",
                "train": 200, "validation": 60, "test": 40, "selection": 40, "max_length": 8,
            },
            {
                "text": str(folder / "reviews.csv"),
                "max_length": 30, "vectors": "learned", "min_count": 1,
                "models": {"cells": ["gru"]}, "training": {"trials": 1},
                "explain": {"enabled": True, "annotations": str(folder / "notes.csv")},
            },
        ],
        "models": {"cells": ["srn", "mgu", "gru"], "hidden_size": 5},
        # nine networks: a gallery that is folded
        "training": {"trials": 3, "max_epochs": 6, "learning_rate": 0.03},
        "clustering": {"k": [2, 5]},
    }  # fmt: skip
