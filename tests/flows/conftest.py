"""A real Prefect server for the tests of flows, and experiments small enough to run in a second."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from lisor_flows.pipeline import lisor_pipeline
from lisor_tasks.database import open_database
from lisor_tasks.tracked import DATABASE


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A flow ends up to a second sooner without heartbeats."""
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture
def no_home(prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the store would be: there is none.

    A command that would put another program in the place of this process fails instead."""
    store = tmp_path / "store"
    monkeypatch.setenv("LISOR_HOME", str(store))
    monkeypatch.setattr(os, "execv", _refuse_to_become)
    return store


def _refuse_to_become(path: str, arguments: list[str]) -> NoReturn:
    pytest.fail(f"this process would have become {arguments}")


@pytest.fixture
def home(no_home: Path, empty_database: Path) -> Path:
    """A store without runs."""
    no_home.mkdir()
    shutil.copy(empty_database, no_home)
    return no_home


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database of a store without runs: to make one takes longer than a small run."""
    store = tmp_path_factory.mktemp("empty")
    with open_database(store, lambda client: None):
        return store / DATABASE


@pytest.fixture(scope="session")
def finished_store(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which `tiny` has run, from the beginning; tests take copies of it."""
    store = tmp_path_factory.mktemp("finished") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LISOR_HOME", str(store))
        lisor_pipeline(settings())
    return store


@pytest.fixture
def finished(no_home: Path, finished_store: Path) -> Path:
    """A store of its own in which `tiny` has run."""
    shutil.copytree(finished_store, no_home, symlinks=True, dirs_exist_ok=True)
    return no_home


@pytest.fixture
def tiny() -> dict[str, Any]:
    return settings()


def settings() -> dict[str, Any]:
    """Settings of a language, one network and five numbers of clusters."""
    return {
        "name": "tiny",
        "datasets": [
            {
                "language": "000",
                "train": 200,
                "validation": 60,
                "test": 40,
                "selection": 40,
                "max_length": 8,
            }
        ],
        "models": {"cells": ["gru"], "hidden_size": 5},
        "training": {"trials": 1, "max_epochs": 3, "learning_rate": 0.03},
        "clustering": {"k": [2, 6]},
    }
