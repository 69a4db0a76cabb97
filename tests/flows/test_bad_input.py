"""Whatever a user gives that cannot be used: status 2 and one line that says what is wrong, and
nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lisor.automata.automaton import Automaton
from tests.flows.test_cli import command_line, config, lisor, write_texts

__all__ = ["command_line", "config", "lisor"]

pytestmark = pytest.mark.filterwarnings("default::lisor.errors.DataWarning")

Lisor = Callable[..., tuple[int, str, str]]


def run(*changes: str) -> list[str]:
    """A run of `tiny.yaml` with some changes."""
    return ["run", "tiny.yaml", *(word for change in changes for word in ("--set", change))]


def text(name: str, *changes: str) -> list[str]:
    return run(f"dataset.text={name}", *changes)


def language(name: str, *changes: str) -> list[str]:
    return run(f"dataset.language={name}", *changes)


COMMANDS = {
    "no command": (["fly"], "'fly'"),
    "no command of the store": (["store", "fly"], "'fly'"),
    "no config": (["run"], "Missing argument 'config'"),
    "an option that is none": (["run", "tiny.yaml", "--nonsense"], "--nonsense"),
    "an age that is no number": (["store", "gc", "--older-than", "old"], "--older-than"),
    "an age below zero": (["store", "gc", "--older-than", "-1"], "--older-than"),
    "a port that is no number": (["ui", "--port", "http"], "--port"),
    "a port out of range": (["ui", "--port", "70000"], "--port"),
    "a run that is not there": (["track", "tiny"], "(none yet), got 'tiny'"),
    "a run to forget that is not there": (["store", "gc", "--forget", "../tiny"], "got '../tiny'"),
    "a report where a file is": ([*run(), "--out", "words.txt"], "words.txt is a file"),
    "a report inside a file": ([*run(), "--out", "words.txt/inside"], "words.txt is a file"),
    "a report with a name that is no Unicode": (
        [*run(), "--out", "\udcff"],
        "expected Unicode text, got '\\udcff'",
    ),
    "a text to explain that is no Unicode": (
        ["explain", "--run", "tiny", "--text", "\udcff"],
        "expected Unicode text",
    ),
    "a place to push to without a name": (["store", "push", ""], "got an empty one"),
    "a place to pull from without a name": (["store", "pull", ""], "got an empty one"),
    "nothing to push": (["store", "push", "memory://nothing"], "to push, found none"),
    "nothing to pull": (
        ["store", "pull", "memory://nothing"],
        "expected runs in memory://nothing, found none",
    ),
    "a port beyond all": (["ui", "--port", "9" * 400], "--port"),
    "a report with a name too long": (
        [*run(), "--out", "o" * 300],
        "no file has a name as long as",
    ),
}

SETTINGS = {
    "no such config": (["run", "absent"], "expected a settings file or one of"),
    "a config without a name": (["run", ""], "expected a settings file or one of"),
    "a config that is a folder": (["run", "folder"], "expected a settings file or one of"),
    "a config with a name too long": (["run", "c" * 300], "no file has a name as long as"),
    "no such file": (["run", "absent.yaml"], "absent.yaml cannot be read: No such file"),
    "an empty file": (
        ["run", "empty.yaml"],
        "expected a mapping of settings in empty.yaml, got NoneType",
    ),
    "a list": (["run", "list.yaml"], "expected a mapping of settings in list.yaml, got list"),
    "no YAML": (["run", "broken.yaml"], "broken.yaml cannot be read"),
    "no Unicode": (["run", "latin.yaml"], "latin.yaml cannot be read: 'utf-8'"),
    "code to be run": (["run", "code.yaml"], "could not determine a constructor"),
    "a day that is none": (["run", "day.yaml"], "day.yaml cannot be read"),
    "nested too deeply": (
        ["run", "deep.yaml"],
        "deep.yaml cannot be read: it is nested too deeply",
    ),
    "half a sign": (["run", "surrogate.yaml"], "dataset.language must be Unicode text"),
    "a key that is no text": (["run", "key.yaml"], "line 2: expected the name of a setting, got 3"),
    "a key misspelt": (run("training.trails=3"), "the nearest known one is 'training.trials'"),
    "no value": (run("training.trials"), "--set takes KEY=VALUE"),
    "no key": (run("=3"), "--set takes KEY=VALUE"),
    "a value that is no YAML": (run("clustering.k=[2,"), "expected a value as YAML"),
    "a number too small": (run("training.trials=0"), "training.trials must be at least 1, got 0"),
    "a number too large": (
        run("dataset.train=3000000000"),
        "dataset.train must be at most 1,000,000,000",
    ),
    "a seed too large": (
        run("clustering.seed=4294967296"),
        "clustering.seed must be at most 4,294,967,295",
    ),
    "a number that is infinite": (run("training.trials=.inf"), "training.trials"),
    "a number that is a word": (
        run("threads=two"),
        "threads takes a whole number, for example 1; got 'two'",
    ),
    "numbers the wrong way round": (run("clustering.k=[30,2]"), "2 ≤ from ≤ to"),
    "more clusters than anyone reads": (
        run("clustering.k=[2,1000000000]"),
        "clustering.k must be at most 65,536",
    ),
    "more clusters than states": (
        run("clustering.k=[5000,5001]"),
        "clustering.k must begin at no more than",
    ),
    "a cell that is none": (run("models.cells=[grus]"), "did you mean 'gru'?"),
    "a name with a folder": (run("name=../tiny"), "name must be made of"),
    "a name too long": (run(f"name={'n' * 61}"), "name must be made of at most 60"),
    "a loss that is no number": (
        run("training.learning_rate=1.0e+300"),
        "lower training.learning_rate",
    ),
    "a setting twice": (["run", "twice.yaml"], "line 3: 'trials' is there twice"),
    "a number in octal": (run("training.trials=010"), "010 is read as a number"),
    "a number of base 60": (run("training.trials=1:30"), "1:30 is read as a number"),
    "a truth value for a number": (
        run("training.trials=true"),
        "takes a whole number, for example 3; got True",
    ),
    "a fraction for a whole number": (
        run("training.trials=3.0"),
        "takes a whole number, for example 3; got 3.0",
    ),
    "a text for a number": (
        run("training.trials='3'"),
        "takes a whole number, for example 3; got '3'",
    ),
    "a text that some take for a truth value": (
        run("dataset.balanced=off"),
        "off is read as a number, a truth value",
    ),
    "a number that is none": (run("training.clip=.nan"), "training.clip must be above 0, got nan"),
    "aliases that multiply": (
        ["run", "laughs.yaml"],
        "laughs.yaml cannot be read: aliases repeat values",
    ),
    "an alias inside of itself": (["run", "loop.yaml"], "an alias stands for what it is inside of"),
    "too much": (["run", "long.yaml"], "at most 500,000 characters are read"),
    "a value of 400 digits": (
        run("training.trials=" + "9" * 400),
        "got a number of about 401 digits",
    ),
    "a value of 5000 digits": (
        run("training.trials=" + "9" * 5000),
        "training.trials: expected a value as YAML",
    ),
    "a value of 100,000 brackets": (run("clustering.k=" + "[" * 100_000), "nested too deeply"),
    "a name of 100,000 characters": (run("x" * 100_000 + "=3"), "unknown setting"),
    "a cell of 100,000 characters": (
        run(f"models.cells=[{'x' * 100_000}]"),
        "models.cells must be one of",
    ),
    "a config that is a pipe": (["run", "pipe.yaml"], "expected a file, but it is a FIFO"),
    "a config that is a device": (["run", "/dev/zero"], "expected a settings file or one of"),
    "a config on a broken disk": (
        ["run", "broken-disk.yaml"],
        "broken-disk.yaml cannot be read: Input/output error",
    ),
    "a config of bytes": (
        ["run", "bytes.yaml"],
        "bytes.yaml cannot be read: line 1 holds the character U+0000",
    ),
    "trials beyond number": (
        run("training.trials=2147483647"),
        "training.trials must be at most 1,000",
    ),
    "epochs beyond number": (
        run("training.max_epochs=2147483647"),
        "training.max_epochs must be at most 100,000",
    ),
    "a batch beyond all": (
        run("training.batch_size=2147483647"),
        "training.batch_size must be at most 65,536",
    ),
    "restarts beyond number": (
        run("training.restarts=2147483647"),
        "training.restarts must be at most 100",
    ),
    "threads beyond number": (run("threads=2147483647"), "threads must be at most 256"),
    "words too long": (
        run("dataset.max_length=2147483647"),
        "dataset.max_length must be at most 1,000",
    ),
    "more words than the memory holds": (
        run("dataset.train=1000000000", "dataset.max_length=1000"),
        "dataset.train of 000 needs about 8,400 GB",
    ),
    "more hidden units than the memory holds": (
        run("models.hidden_size=100000"),
        "models.hidden_size of 000 needs about 480 GB of memory, and this machine has",
    ),
    "a setting of series for a language": (
        run("dataset.window=7"),
        "dataset.window is for series, not for language",
    ),
    "a setting of text for a language": (
        run("dataset.min_count=7"),
        "dataset.min_count is for text",
    ),
    "a setting of a language for text": (
        text("good.csv", "dataset.balanced=false"),
        "dataset.balanced is for language",
    ),
    "a setting of another kind in a file": (
        ["run", "kind.yaml"],
        "dataset.vectors is for text and symbols, not for language",
    ),
    "folds beyond number": (
        run("dataset.series=series.csv", "dataset.folds=2147483647"),
        "must be at most 100",
    ),
    "windows too long": (
        run("dataset.series=series.csv", "dataset.window=2147483647"),
        "must be at most 1,000,000",
    ),
    "more symbols than anyone reads": (
        run("dataset.series=series.csv", "dataset.symbol_count=2147483647"),
        "dataset.symbol_count must be at most 4,096",
    ),
}

LANGUAGES = {
    "no such language": (language("tomita-8"), "did you mean 'tomita-"),
    "an expression that is none": (language("regex:(0"), "(0"),
    "every word": (language("regex:(0|1)*"), "every word"),
    "a sign that the alphabet lacks": (language("regex:(a|b)*"), "not in the alphabet '01'"),
    "an expression of 100,000 brackets": (language("regex:" + "(" * 100_000), "nested too deeply"),
    "an expression of 100,000 symbols": (
        language("regex:" + "0" * 100_000),
        "more than 2,000 symbols",
    ),
    "an alphabet of thousands": (
        language("regex:a", "dataset.alphabet=" + "".join(map(chr, range(97, 9000)))),
        "at most 1,000",
    ),
    "an alphabet that repeats": (
        language("regex:0", "dataset.alphabet=00"),
        "different characters",
    ),
}

MODELS = {
    "no such file": (language("automaton:absent.json"), "the automaton absent.json cannot be read"),
    "a folder": (language("automaton:folder"), "the automaton folder cannot be read"),
    "no name": (language("automaton:"), "cannot be read"),
    "no JSON": (language("automaton:good.csv"), "expected an automaton as JSON"),
    "no Unicode": (language("automaton:latin.csv"), "the automaton latin.csv cannot be read"),
    "no graph": (language("automaton:broken.dot"), "expected a graph"),
    "another schema": (
        language("automaton:schema.json"),
        "expected an automaton of schema 2, got 3",
    ),
    "a transition to nowhere": (
        language("automaton:nowhere.json"),
        "transitions must lead to one of the states 0 … 1",
    ),
    "three classes": (language("automaton:three.json"), "a language has two classes of words"),
    "a name with a null byte": (["run", "null-automaton.yaml"], "null byte"),
    "a field twice": (language("automaton:twice.json"), "the field 'start' is there twice"),
    "a class twice": (language("automaton:classes.json"), "expected classes of different names"),
    "a symbol twice": (
        language("automaton:symbols.json"),
        "expected one or more different symbols",
    ),
    "100,000 brackets": (
        language("automaton:deep.json"),
        "expected an automaton as JSON: maximum recursion depth",
    ),
    "numbers of 400 digits": (language("automaton:digits.json"), "to hold whole numbers"),
    "a start of 5000 digits": (language("automaton:start.json"), "expected an automaton as JSON"),
    "a reference beyond Unicode": (language("automaton:reference.jff"), "invalid character number"),
    "bytes": (
        language("automaton:bytes.yaml"),
        "bytes.yaml cannot be read: line 1 holds the character U+0000",
    ),
    "bytes, a graph": (language("automaton:bytes.dot"), "bytes.dot cannot be read"),
    "a pipe": (
        language("automaton:pipe.yaml"),
        "pipe.yaml cannot be read: expected a file, but it is a FIFO",
    ),
    "a device": (language("automaton:/dev/zero"), "expected a file, but it is a device"),
    "a broken disk": (language("automaton:broken-disk.yaml"), "cannot be read: Input/output error"),
    "vectors, a pipe": (
        text("good.csv", "dataset.vectors=pipe.yaml"),
        "'pipe.yaml' is not: expected a file, but it is",
    ),
    "vectors of one line": (
        text("good.csv", "dataset.vectors=line.txt"),
        "more than 1,000,000 characters",
    ),
    "vectors, no such file": (text("good.csv", "dataset.vectors=absent.txt"), "absent.txt"),
    "vectors, no name": (text("good.csv", "dataset.vectors="), "its name is empty"),
    "vectors that are texts": (
        text("good.csv", "dataset.vectors=good.csv"),
        "as in files of word vectors",
    ),
    "vectors of unequal length": (
        text("good.csv", "dataset.vectors=ragged.txt"),
        "line 2 of ragged.txt",
    ),
    "vectors of other words": (
        text("good.csv", "dataset.vectors=other.txt"),
        "none of the 4 words",
    ),
    "vectors that are no numbers": (text("good.csv", "dataset.vectors=nan.txt"), "not finite"),
    "vectors half unpacked": (
        text("good.csv", "dataset.vectors=half.gz"),
        "half.gz is not a text file",
    ),
}

TEXTS = {
    "no such file": (text("absent.csv"), "'absent.csv' is not: No such file"),
    "no name": (text(""), "its name is empty"),
    "a name too long": (text("t" * 300), "File name too long"),
    "a name with a null byte": (["run", "null-text.yaml"], "null byte"),
    "another kind of file": (text("tiny.yaml"), ".csv, .tsv or .parquet"),
    "a folder laid out otherwise": (text("folder"), "train/pos"),
    "no bytes": (text("empty.csv"), "empty.csv"),
    "no rows": (text("nothing.csv"), "has no rows"),
    "no label": (text("columns.csv"), "found 'text', 'lable'"),
    "no Unicode": (text("latin.csv"), "latin.csv cannot be read as CSV: 'utf-8'"),
    "a quote that does not end": (text("quote.csv"), "EOF inside string"),
    "rows of more cells than the header": (text("wide.csv"), "more cells than its header"),
    "Parquet cut short": (text("cut.parquet"), "cannot be read as Parquet"),
    "one class": (text("one-class.csv"), "at least two classes"),
    "too few rows": (text("few.csv"), "too few"),
    "a split that is none": (text("split.csv"), "found 'nonsense'"),
    "a pipe": (text("pipe.csv"), "'pipe.csv' is not: expected a file, but it is a FIFO"),
    "a device": (text("/dev/zero"), "'/dev/zero' is not: expected a file, but it is a device"),
    "a broken disk": (text("broken-disk.csv"), "'broken-disk.csv' is not: Input/output error"),
    "everything": (text("/"), "expected folders such as train/pos"),
    "a column of numbers": (
        text("numbers.parquet"),
        "expected texts in the column 'text' of numbers.parquet, found int64",
    ),
    "labels of bytes": (
        text("bytes.parquet"),
        "expected labels in the column 'label' of bytes.parquet, found binary",
    ),
    "bytes": (
        text("bytes.csv"),
        "bytes.csv cannot be read as CSV: line 1 holds the character U+0000",
    ),
    "a null in a text": (text("null.csv"), "line 3 holds the character U+0000"),
    "100,000 columns": (
        text("columns-100000.csv"),
        "has 100,000 columns, and at most 10,000 are read",
    ),
    "two columns of one name": (text("two-labels.csv"), "expected one column 'label'"),
    "more rows than are read": (
        text("rows.parquet"),
        "has 20,000,000 rows, and at most 10,000,000 are read",
    ),
    "texts that fill the memory": (
        text("bomb.parquet"),
        "more than 2,147,483,648 bytes when it is unpacked",
    ),
    "a split misspelt": (text("tran.csv"), "'test' in the column 'split', found 'tran' in row 1"),
    "no split": (text("no-split.csv"), "found none in row 2"),
    "notes, no such file": (
        run("explain.annotations=absent.csv", "explain.enabled=true"),
        "absent.csv",
    ),
}

SERIES = {
    "no such file": (run("dataset.series=absent.parquet"), "'absent.parquet' is not: No such file"),
    "no such set of aeon's": (run("dataset.series=aeon:GunPint"), "did you mean 'aeon:GunPoint'?"),
    "another kind of file": (run("dataset.series=tiny.yaml"), ".csv, .tsv or .parquet"),
    "no such column": (run("dataset.series=good.csv"), "a column 'series'"),
    "no label": (run("dataset.series=unlabelled.csv"), "a column 'label'"),
    "a number that is missing": (run("dataset.series=nan.csv"), "step 2 of series 1"),
    "ragged channels": (
        run("dataset.series=ragged.csv"),
        "as many channels at every step, but series 1 has 1 and 2",
    ),
    "shorter than a window": (
        run("dataset.series=series.csv", "dataset.window=4"),
        "fewer than the 4 of a window",
    ),
    "fewer windows than symbols": (
        run("dataset.series=series.csv", "dataset.symbol_count=9"),
        "lower dataset.symbol_count",
    ),
    "a single symbol": (
        run("dataset.series=series.csv", "dataset.symbol_count=1"),
        "must be at least 2, got 1",
    ),
    "folds of what is no series": (run("dataset.folds=3"), "dataset.folds is for series"),
    "a column of plain numbers": (
        run("dataset.series=plain.parquet"),
        "expected texts or lists in the column 'series' of plain.parquet, found double",
    ),
    "a number of 400 digits": (
        run("dataset.series=digits.csv"),
        "a list of numbers, or of lists of numbers",
    ),
    "100,000 brackets": (
        run("dataset.series=brackets.csv"),
        "a list of numbers, or of lists of numbers",
    ),
    "a folder": (
        run("dataset.series=folder"),
        "'folder' is not: expected a file, but it is a folder",
    ),
    "a pipe": (
        run("dataset.series=pipe.csv"),
        "'pipe.csv' is not: expected a file, but it is a FIFO",
    ),
    "a split misspelt": (run("dataset.series=tran-series.csv"), "found 'tran' in row 1"),
    "symbols, a split misspelt": (run("dataset.symbols=tran-symbols.csv"), "found 'tran' in row 1"),
    "symbols, rows of more cells than the header": (
        run("dataset.symbols=commas.csv"),
        "more cells than its header",
    ),
    "symbols, a column of plain numbers": (
        run("dataset.symbols=plain-symbols.parquet"),
        "found int64",
    ),
    "symbols, more values than are read": (
        run("dataset.symbols=values.parquet"),
        "at most 100,000,000",
    ),
    "symbols, classes that are none of the labels": (
        run("dataset.symbols=letters.csv", "dataset.classes=[no, 'yes']".replace("no", "'no'")),
        "expected labels among the 2 classes 'no', 'yes', found 'x'",
    ),
    "symbols, a class twice": (
        run("dataset.symbols=letters.csv", "dataset.classes=[x, x]"),
        "different names",
    ),
    "symbols, an alphabet of one": (
        run("dataset.symbols=one.csv"),
        "an alphabet of at least two symbols, got 'a'",
    ),
    "symbols, no label": (run("dataset.symbols=bare.csv"), "a column 'label'"),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the tables name."""
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    return folder


def link_files(files: Path, folder: Path) -> None:
    """Put the files into another folder without a copy."""
    for file in files.iterdir():
        if file.is_dir():
            (folder / file.name).mkdir()
        else:
            os.link(file, folder / file.name, follow_symlinks=False)


def write_files(folder: Path) -> None:
    table = {
        "alphabet": ("0", "1"),
        "classes": ("no", "yes"),
        "transitions": [[0, 1], [0, 1]],
        "outputs": [0, 1],
    }
    accepts = json.loads(Automaton(**table).to_json())
    three = {
        "classes": ["a", "b", "c"],
        "transitions": [[0, 1], [2, 0], [2, 2]],
        "outputs": [0, 1, 2],
    }
    contents: dict[str, str | bytes] = {
        "empty.yaml": "",
        "list.yaml": "- a\n- b\n",
        "broken.yaml": "name: [",
        "latin.yaml": "name: café".encode("latin-1"),
        "code.yaml": "name: !!python/object/apply:os.getcwd []",
        "day.yaml": "name: 2020-13-45",
        "deep.yaml": "[" * 5000,
        "surrogate.yaml": 'datasets: [{language: "regex:\\ud800"}]',
        "key.yaml": 'datasets: [{language: "000"}]\n3: 4',
        "null-text.yaml": 'datasets: [{text: "a\\0.csv"}]',
        "null-automaton.yaml": 'datasets: [{language: "automaton:a\\0.json"}]',
        "words.txt": "0110\n",
        "broken.dot": "digraph {",
        "schema.json": json.dumps({"schema": 3}),
        "nowhere.json": json.dumps({**accepts, "transitions": [[0, 7], [0, 1]]}),
        "three.json": json.dumps({**accepts, **three}),
        "ragged.txt": "a 1 2\nb 1\n",
        "other.txt": "zebra 1 2\n",
        "nan.txt": "a nan 2\nb 1 2\n",
        "half.gz": b"\x1f\x8b\x08",
        "empty.csv": "",
        "latin.csv": "text,label\ncafé,x\n".encode("latin-1"),
        "quote.csv": 'text,label\n"a,x\nb,y\n',
        "wide.csv": "text,label\na,x,1,2\nb,y\n",
        "cut.parquet": b"PAR1 is not enough",
    }
    automaton = json.dumps(accepts)
    contents |= {
        "twice.yaml": 'training:\n  trials: 3\n  trials: 4\ndatasets: [{language: "000"}]',
        "laughs.yaml": "a: &a [l]\n"
        + "".join(
            f"b{i}: &b{i} [{', '.join(['*' + ('a', f'b{i - 1}')[i > 0]] * 9)}]\n" for i in range(8)
        ),
        "loop.yaml": "datasets: &a [*a]",
        "long.yaml": "# " + "x" * 500_000,
        "bytes.yaml": bytes(range(256)),
        "bytes.dot": bytes(range(1, 256)),
        "kind.yaml": 'datasets: [{language: "000", vectors: learned}]',
        "twice.json": automaton.replace('"start"', '"start": 1, "start"'),
        "classes.json": automaton.replace('"yes"', '"no"'),
        "symbols.json": automaton.replace('"1"', '"0"'),
        "deep.json": "[" * 100_000,
        "digits.json": automaton.replace("[0, 1]", f"[0, {'9' * 400}]"),
        "start.json": automaton.replace('"start": 0', f'"start": {"9" * 5000}'),
        "reference.jff": f"<structure>&#{'9' * 5000};</structure>",
        "line.txt": "a" + " 1" * 500_000,
        "bytes.csv": bytes(range(256)),
        "null.csv": "text,label\na,x\nb\0c,y\n",
        "columns-100000.csv": ",".join(map(str, range(100_000))) + "\n",
        "two-labels.csv": "text,label,label\na,x,y\n",
        "brackets.csv": "series,label\n" + "[" * 100_000 + ",x\n",
        "digits.csv": f"series,label\n[{'9' * 400}],x\n",
        "commas.csv": "symbols,label\n" + "a,b,x\nb,a,y\n" * 20,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "folder").mkdir()
    for kind in ("csv", "yaml"):
        os.mkfifo(folder / f"pipe.{kind}")
        (folder / f"broken-disk.{kind}").symlink_to(
            "/proc/self/mem"
        )  # its first byte cannot be read
    write_tables(folder)
    write_texts(folder / "columns.csv", text=["a"], lable=["b"])
    write_texts(folder / "nothing.csv", text=[], label=[])
    write_texts(folder / "one-class.csv", text=["a", "b"] * 9, label=["x"] * 18)
    write_texts(folder / "few.csv", text=["a", "b"], label=["x", "y"])
    write_texts(folder / "good.csv", text=["a", "b"] * 40, label=["x", "y"] * 40)
    write_texts(folder / "unlabelled.csv", series=["1 2", "2 1"])
    write_texts(folder / "nan.csv", series=["1 nan"] * 40, label=["x", "y"] * 20)
    write_texts(folder / "ragged.csv", series=["[[1], [2, 3]]"] * 40, label=["x", "y"] * 20)
    write_texts(folder / "series.csv", series=["1 2 3", "3 2 1"] * 20, label=["x", "y"] * 20)
    write_texts(folder / "one.csv", symbols=["aa", "a"] * 20, label=["x", "y"] * 20)
    write_texts(folder / "bare.csv", symbols=["ab", "ba"] * 20)
    write_texts(folder / "letters.csv", symbols=["ab", "ba"] * 20, label=["x", "y"] * 20)
    write_texts(
        folder / "tran.csv", text=["a", "b"] * 20, label=["x", "y"] * 20, split=["tran"] * 40
    )
    write_texts(
        folder / "tran-series.csv",
        series=["1 2", "2 1"] * 20,
        label=["x", "y"] * 20,
        split=["tran"] * 40,
    )
    write_texts(
        folder / "tran-symbols.csv",
        symbols=["ab", "ba"] * 20,
        label=["x", "y"] * 20,
        split=["tran"] * 40,
    )
    write_texts(
        folder / "no-split.csv",
        text=["a", "b"] * 20,
        label=["x", "y"] * 20,
        split=["train", ""] * 20,
    )
    write_texts(
        folder / "split.csv",
        text=["a", "b"] * 9,
        label=["x", "y"] * 9,
        split=["dev", "nonsense"] * 9,
    )


def write_tables(folder: Path) -> None:
    """Tables of the wrong types, and small ones that would be large in memory."""
    labels = pa.array(["x", "y"] * 20)
    nothing = pa.nulls(20_000_000, pa.string())
    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3_000_000, np.int32)), ["a" * 1000])
    one = pa.ListArray.from_arrays(
        pa.array([0, 12_000_000], pa.int32()), pa.array(np.zeros(12_000_000, np.int8))
    )
    tables = {
        "numbers": [{"text": pa.array(range(40)), "label": labels}],
        "bytes": [{"text": labels, "label": pa.array([b"\xff", b"y"] * 20)}],
        "bomb": [{"text": same, "label": same}],
        "plain": [{"series": pa.array([1.5, 2.5] * 20), "label": labels}],
        "plain-symbols": [{"symbols": pa.array(range(40)), "label": labels}],
        "rows": [{"text": nothing, "label": nothing}],
        "values": [{"symbols": one, "label": labels[:1]}] * 9,
    }
    for name, parts in tables.items():
        path, table = folder / f"{name}.parquet", pa.table(parts[0])
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            for _ in parts:
                writer.write_table(table, row_group_size=100_000)


def assert_one_line(status: int, out: str, err: str, says: str) -> None:
    """Status 2, and after the progress of stages and notes on the data one line of ours."""
    told = [
        line
        for line in err.splitlines()
        if line.startswith("lisor: ") and not line.startswith("lisor: note: ")
    ]
    assert (status, out) == (2, ""), err
    assert told == err.splitlines()[-1:]
    assert says in told[0]
    assert "Traceback" not in err


TABLES = {
    "command": COMMANDS,
    "settings": SETTINGS,
    "language": LANGUAGES,
    "model": MODELS,
    "text": TEXTS,
    "series": SERIES,
}
ROWS = {f"{table}: {name}": row for table, rows in TABLES.items() for name, row in rows.items()}


@pytest.mark.parametrize(("arguments", "says"), ROWS.values(), ids=ROWS)
def test_bad_input_is_one_line_and_status_2(
    lisor: Lisor,
    config: str,
    home: Path,
    tmp_path: Path,
    files: Path,
    arguments: list[str],
    says: str,
) -> None:
    link_files(files, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    assert_one_line(*lisor(*arguments), says)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert not (home / "reports").exists()
    assert not list(home.glob("scratch/*"))


def a_file_at(place: str) -> Callable[[Path], None]:
    """Puts a file where the store has a folder."""

    def put(home: Path) -> None:
        if (home / place).is_dir():
            shutil.rmtree(home / place)
        (home / place).write_text("words")

    return put


def the_record(content: str) -> Callable[[Path], None]:
    def put(home: Path) -> None:
        (record,) = (home / "runs/tiny").iterdir()
        record.write_text(content, encoding="latin-1")

    return put


def no_database(home: Path) -> None:
    (home / "mlflow.db").write_text("no database")


STORES = {
    "a file, run": (a_file_at(""), run(), "store is a file"),
    "a file, plan": (a_file_at(""), [*run(), "--plan"], "store is a file"),
    "a file, ls": (a_file_at(""), ["store", "ls"], "store is a file"),
    "a file, verify": (a_file_at(""), ["store", "verify"], "store is a file"),
    "a file, gc": (a_file_at(""), ["store", "gc", "--delete"], "store is a file"),
    "a file, track": (a_file_at(""), ["track", "tiny"], "store is a file"),
    "a file, ui": (a_file_at(""), ["ui"], "store is a file"),
    "artifacts are a file": (
        a_file_at("store"),
        run("clustering.seed=4"),
        "cannot be written: Not a directory",
    ),
    "a kind is a file": (a_file_at("store/clusterings"), run(), "cannot be written"),
    "locks are a file": (a_file_at("locks"), run(), "cannot be written: File exists"),
    "what is half built is a file": (
        a_file_at("scratch"),
        run("clustering.seed=4"),
        "cannot be written",
    ),
    "reports are a file": (a_file_at("reports"), run(), "with another --out"),
    "the register is a file, run": (a_file_at("runs"), run(), "runs is a file"),
    "the register is a file, gc": (
        a_file_at("runs"),
        ["store", "gc", "--delete"],
        "runs is a file",
    ),
    "a run is a file": (a_file_at("runs/tiny"), run(), "tiny is a file"),
    "no run to explain": (
        lambda home: None,
        ["explain", "--run", "other", "--word", "0"],
        "(tiny), got 'other'",
    ),
    "no word to explain": (
        lambda home: None,
        ["explain", "--run", "tiny", "--text", "good"],
        "expected symbols of the alphabet ('0', '1'), got 'g'",
    ),
    "no row to explain": (
        lambda home: None,
        ["explain", "--run", "tiny", "--row", "0"],
        "expected a row of the test split of 000, from 1 to 40, got 0",
    ),
    "no position to explain": (
        lambda home: None,
        ["explain", "--run", "tiny", "--word", "0110", "--position", "2"],
        "one prediction for a sequence",
    ),
    "an empty word to explain": (
        lambda home: None,
        ["explain", "--run", "tiny", "--word", ""],
        "got an empty one",
    ),
    "no run of that name": (lambda home: None, ["track", "other"], "(tiny), got 'other'"),
    "no run without a name": (lambda home: None, ["track", ""], "(tiny), got ''"),
    "a record is empty": (the_record(""), ["track", "tiny"], "is damaged; run 'tiny' again"),
    "a record is a list": (the_record("[]"), ["store", "ls"], "is damaged; run 'tiny' again"),
    "a record is cut short": (
        the_record("{"),
        ["store", "gc", "--delete"],
        "is damaged; run 'tiny' again",
    ),
    "a record is no Unicode": (
        the_record("\xff"),
        ["store", "verify"],
        "is damaged; run 'tiny' again",
    ),
    "a record of brackets": (
        the_record("[" * 100_000),
        ["track", "tiny"],
        "is damaged; run 'tiny' again",
    ),
    "a record of 5000 digits": (
        the_record("9" * 5000),
        ["store", "ls"],
        "is damaged; run 'tiny' again",
    ),
    "a record lacks all": (
        the_record('{"schema": 4}'),
        ["track", "tiny"],
        "is damaged; run 'tiny' again",
    ),
    "a record of another kind": (
        the_record('{"schema": 4, "name": 3}'),
        ["track", "tiny"],
        "is damaged",
    ),
    "a record of another version": (
        the_record('{"schema": 9}'),
        ["track", "tiny"],
        "recorded by another version",
    ),
}


@pytest.mark.parametrize(("damage", "arguments", "says"), STORES.values(), ids=STORES)
def test_a_bad_store_is_one_line_and_status_2(
    lisor: Lisor,
    config: str,
    finished: Path,
    damage: Callable[[Path], None],
    arguments: list[str],
    says: str,
) -> None:
    damage(finished)
    assert_one_line(*lisor(*arguments), says)


@pytest.mark.filterwarnings("default::lisor.errors.StoreWarning")
@pytest.mark.parametrize("command", ["run", "track"])
def test_where_mlflows_database_is_none_it_is_made_anew(
    lisor: Lisor, config: str, finished: Path, command: str
) -> None:
    no_database(finished)
    status, _, err = lisor(command, config if command == "run" else "tiny")
    assert status == 0
    assert "lisor: note: " in err
    assert "file is not a database" in err
    assert (finished / "mlflow.db.damaged-1").exists()


def test_a_stray_file_is_no_artifact(lisor: Lisor, finished: Path) -> None:
    (finished / "store/stray").write_text("words")
    (finished / "store/model/stray").write_text("words")
    assert lisor("store", "verify")[0] == 0
    assert (
        lisor("store", "gc", "--older-than", "0", "--delete")[1] == "0 artifacts, 0.0 MB deleted\n"
    )


def test_before_the_first_run_there_is_nothing_to_show(command_line: Lisor, no_home: Path) -> None:
    assert_one_line(*command_line("ui"), "no run to show")
    assert not no_home.exists()


def test_an_empty_home_is_none(
    command_line: Lisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISOR_HOME", "")
    assert str(tmp_path / ".lisor/runs") in command_line("track", "tiny")[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        SETTINGS["a key misspelt"],
        MODELS["no such file"],
        TEXTS["no such file"],
        (
            ["predict", "--automaton", "schema.json", "--data", "words.txt"],
            "expected an automaton of schema 2, got 3",
        ),
        (["store", "ls"], "words.txt is a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_so_it_is_for_a_process_of_its_own(
    tmp_path: Path, tiny: dict[str, Any], files: Path, arguments: list[str], says: str
) -> None:
    link_files(files, tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    home = tmp_path / ("words.txt" if arguments == ["store", "ls"] else "home")
    done = subprocess.run(
        [sys.executable, "-m", "lisor_flows.cli", *arguments],
        cwd=tmp_path,
        env={**os.environ, "LISOR_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert_one_line(done.returncode, done.stdout, done.stderr, says)
    assert len(done.stderr.splitlines()) == 1
