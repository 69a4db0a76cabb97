"""Stored networks: what a run builds is what its own settings name."""

import json
import random
import sys
from pathlib import Path

import pytest

from lisor.alphabet import Alphabet
from lisor.data.dataset import Dataset
from lisor.errors import DataWarning, ModelError, SchemaError
from lisor.networks.external.adapter import Adapter
from lisor.settings.symbols import SymbolsSettings
from lisor_tasks.artifacts import Ref, describe_source, open_store
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import ABOUT, EXTERNAL, NetworkRef, read_network, read_sequences
from lisor_tasks.user_code import describe_build
from tests.conftest import random_network

MODULE = """
from pathlib import Path

Path({mark!r}).write_text("run")


class Odd:
    def initial_state(self):
        return 0

    def step(self, state, symbol):
        return (state + symbol) % 2

    def is_accepting(self, state):
        return state == 1
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two modules of the same code, and the file that each writes when it is run."""
    monkeypatch.setenv("LISOR_HOME", str(tmp_path / "store"))
    monkeypatch.syspath_prepend(tmp_path)
    marks = {name: tmp_path / f"{name} was run" for name in ("named_module", "pulled_module")}
    for name, mark in marks.items():
        (tmp_path / f"{name}.py").write_text(MODULE.format(mark=str(mark)))
        monkeypatch.delitem(sys.modules, name, raising=False)
    return marks


def stored(build: str, **more: object) -> Ref:
    """An external network in the store that says of itself that `build` makes it."""
    about = {
        "schema": EXTERNAL,
        "architecture": {"build": build},
        "source": describe_build(build).sha256,
        "alphabet": Alphabet(symbols=("0", "1")).to_json(),
        "classes": ["reject", "accept"],
    }

    def write(folders: list[Path]) -> None:
        (folders[0] / ABOUT).write_text(json.dumps(about | more))

    return open_store().build("model", [build.replace(":", "-")], write)[0]


def test_the_network_that_the_settings_name_is_built(modules, tmp_path):
    network = read_network(NetworkRef(model=stored("named_module:Odd"), made_by="named_module:Odd"))
    assert isinstance(network, Adapter)
    assert modules["named_module"].exists()


@pytest.mark.parametrize("made_by", ["named_module:Odd", "named_module:Even", "gru"])
def test_a_stored_network_that_names_another_callable_is_refused_and_nothing_is_imported(
    modules, tmp_path, made_by
):
    ref = stored("pulled_module:Odd")
    with pytest.raises(ModelError, match="as the settings say, got one made by pulled_module:Odd"):
        read_network(NetworkRef(model=ref, made_by=made_by))
    assert not any(mark.exists() for mark in modules.values())
    assert not sys.modules.keys() & modules.keys()


def test_a_network_trained_here_is_built_from_no_module(modules, tmp_path):
    ref = stored("pulled_module:Odd", schema=-1, architecture={"cell": "gru"})
    with pytest.raises(SchemaError):
        read_network(NetworkRef(model=ref, made_by="gru"))
    (own,) = open_store().build(
        "model", ["own"], lambda folders: random_network().write(folders[0])
    )
    assert read_network(NetworkRef(model=own, made_by="gru")).name == "gru"
    assert not any(mark.exists() for mark in modules.values())


def test_a_source_that_has_changed_since_is_not_run(modules, tmp_path):
    ref = stored("named_module:Odd", source="0" * 64)
    with pytest.raises(
        ModelError, match="the source of named_module:Odd has changed since the run began"
    ):
        read_network(NetworkRef(model=ref, made_by="named_module:Odd"))
    assert not modules["named_module"].exists()


# The sequences of a user's file, and the order of the classes


def read(folder: Path, labels: dict[int, str], **settings: object) -> Dataset:
    """The dataset of words whose label tells whether their number of 1s is odd."""
    rng = random.Random(0)
    words = ["".join(rng.choices("01", k=rng.randint(1, 12))) for _ in range(200)]
    rows = [f"{word},{labels[word.count('1') % 2]}" for word in words]
    (folder / "words.csv").write_text("\n".join(["symbols,label", *rows]) + "\n")
    config = SymbolsSettings(symbols=str(folder / "words.csv"), **settings)
    data, code = (describe_source(str(folder / name)) for name in ("words.csv", "named_module.py"))
    return read_dataset(read_sequences.fn(data, "named_module:Odd", code, None, config))


def right(dataset: Dataset) -> float:
    """The share of the test words whose label says the class of their number of 1s, the second one
    for odd numbers."""
    split = dataset.splits["test"]
    odd = [int(split.sequences[row].sum() % 2) for row in range(len(split))]
    return float((split.labels == odd).mean())


def test_labels_put_the_classes_into_the_order_of_the_network_and_it_is_told(modules, tmp_path):
    with pytest.warns(DataWarning) as caught:
        dataset = read(tmp_path, {0: "-", 1: "+"})
    assert dataset.classes == ("-", "+")
    assert right(dataset) == 1
    messages = [str(one.message) for one in caught]
    assert any(
        "right on 0.000 of the labelled sequences if its classes are +, -, and" in note
        for note in messages
    )
    assert tuple(messages) == dataset.notes


def test_classes_in_the_order_of_the_network_are_left_as_they_are(modules, tmp_path):
    dataset = read(tmp_path, {0: "even", 1: "odd"})
    assert dataset.classes == ("even", "odd")
    assert right(dataset) == 1
    assert dataset.notes == ()


def test_an_order_of_classes_that_is_given_stays_and_what_the_labels_say_is_told(modules, tmp_path):
    with pytest.warns(
        DataWarning, match=r"and on 1\.000 if they are -, \+; look at dataset\.classes"
    ):
        dataset = read(tmp_path, {0: "-", 1: "+"}, classes=("+", "-"))
    assert dataset.classes == ("+", "-")
    assert right(dataset) == 0
