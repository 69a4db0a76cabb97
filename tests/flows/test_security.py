"""What a user or the data give is read, never run, and never decides where something is written."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.formats.reading import read_automaton
from lisor.automata.languages import find
from lisor.data import symbols, text, vectors
from lisor.data.streams import stream_rows
from lisor.errors import ConfigError, LisorError
from lisor.explain import annotations
from lisor.networks.external.builds import read_weights
from lisor.settings.experiment import Experiment
from lisor.settings.reading import load
from lisor.settings.symbols import SymbolsSettings
from lisor.settings.text import TextSettings
from lisor_tasks.register import find as find_run

MARK = "was-run"
"""The folder that a pickle makes where it is loaded."""


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (MARK,)


READERS: dict[str, Callable[[Path], object]] = {
    "settings": lambda path: load(path, []),
    "texts": text.read_table,
    "texts, in parts": lambda path: list(stream_rows(path)),
    "sequences": symbols.read_table,
    "vectors": lambda path: vectors.read_vectors(path, ("a",)),
    "notes": annotations.read,
    "a language": lambda path: find(f"automaton:{path}"),
    "an automaton": read_automaton,
    "weights": read_weights,
    "a run": lambda path: find_run(str(path.parent)),
}
ENDINGS = (
    "bin",
    "csv",
    "dot",
    "gz",
    "jff",
    "json",
    "npy",
    "npz",
    "parquet",
    "pkl",
    "pt",
    "safetensors",
    "tsv",
    "yaml",
)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pickle_is_never_loaded(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for ending in ENDINGS:
        place = tmp_path / ending
        place.mkdir()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for name in (f"trap.{ending}", "run.json"):
                (place / name).write_bytes(pickle.dumps(Trap(), protocol=protocol))
            with pytest.raises(LisorError):
                read(place / f"trap.{ending}")
    torch.save(Trap(), tmp_path / "packed.pt")
    with pytest.raises(LisorError):
        read(tmp_path / "packed.pt")
    assert not (tmp_path / MARK).exists()


def test_the_trap_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Trap(), protocol=0))  # noqa: S301
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    "name", ["../out", "/out", "a/b", "..", ".", ".hidden", "a\0b", "a\nb", ""]
)
def test_the_name_of_a_run_is_no_path(name: str) -> None:
    with pytest.raises(ConfigError, match="name must be"):
        Experiment(name=name, datasets=[{"language": "000"}])


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_name_of_a_file_of_data_is_no_path(path: str) -> None:
    for dataset in (TextSettings(text=path), SymbolsSettings(symbols=path)):
        assert "/" not in dataset.name
        assert dataset.name
        assert len(dataset.name.encode()) < 256
