import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lisor_tasks.artifacts import Ref, Source
from lisor_tasks.caching import load
from lisor_tasks.keys import canonical, digest, import_graph, read_code

import lisor
from lisor.config import ModelsConfig, TrainingConfig

ROOT = Path(lisor.__path__[0]).parent
STEPS = {
    "data": ("lisor.data.words",),
    "text": ("lisor.data.text",),
    "training": ("lisor.rnn.training",),
    "dump": ("lisor.rnn.hidden_states",),
    "clustering": ("lisor.fsa.clustering",),
    "extraction": ("lisor.fsa.extraction",),
    "evaluation": ("lisor.fsa.evaluation",),
    "report": ("lisor.report.report",),
}


@pytest.fixture
def steps_changed_by(tmp_path: Path) -> Callable[[str, str, str], set[str]]:
    """Which steps get another source digest when a text in a file of `lisor` is replaced."""

    def change(file: str, old: str, new: str) -> set[str]:
        shutil.copytree(ROOT / "lisor", tmp_path / "lisor", ignore=shutil.ignore_patterns("__pycache__"))
        path = tmp_path / "lisor" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return {step for step, modules in STEPS.items() if read_code(modules, tmp_path) != read_code(modules)}

    return change


def test_an_unchanged_copy_has_the_same_digests(steps_changed_by) -> None:
    assert steps_changed_by("fsa/kmeans.py", "import", "import") == set()


def test_a_comment_changes_nothing(steps_changed_by) -> None:
    assert steps_changed_by("fsa/extraction.py", "import json", "# a comment\nimport json  # another") == set()


def test_a_docstring_changes_nothing(steps_changed_by) -> None:
    assert steps_changed_by("fsa/kmeans.py", '"""k-means for a grid', '"""Centers that') == set()


def test_a_docstring_of_an_attribute_changes_nothing(steps_changed_by) -> None:
    assert steps_changed_by("fsa/kmeans.py", '"""Candidates that', '"""Points that') == set()


def test_layout_changes_nothing(steps_changed_by) -> None:
    assert steps_changed_by("fsa/kmeans.py", "\n\n\n", "\n\n\n\n\n") == set()


def test_a_changed_line_of_extraction_reruns_what_follows_and_no_training(steps_changed_by) -> None:
    changed = steps_changed_by("fsa/extraction.py", "START = 0", "START = 0 + 0")
    assert changed == {"extraction", "evaluation", "report"}


def test_a_changed_cell_reruns_training_and_no_data(steps_changed_by) -> None:
    changed = steps_changed_by("rnn/cells.py", "= ()", '= ("none",)')
    assert {"training", "dump", "extraction"} <= changed
    assert not {"data", "text", "clustering"} & changed


def test_a_new_setting_reruns_nothing(steps_changed_by) -> None:
    assert steps_changed_by("config.py", "batch_size: int = 64", "batch_size: int = 64\n    extra: int = 0") == set()


def test_a_changed_error_reruns_what_can_raise_it(steps_changed_by) -> None:
    assert steps_changed_by("errors.py", "class DataWarning", "class Another(Exception): pass\n\nclass DataWarning")


def test_the_import_graph_follows_imports_inside_functions_and_skips_type_checking(tmp_path: Path) -> None:
    (tmp_path / "lisor").mkdir()
    (tmp_path / "lisor/__init__.py").write_text("")
    (tmp_path / "lisor/a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lisor import c\n"
        "def f():\n    from lisor.b import g\n"
    )
    (tmp_path / "lisor/b.py").write_text("import numpy\nimport lisor.d\n")
    (tmp_path / "lisor/c.py").write_text("")
    (tmp_path / "lisor/d.py").write_text("")
    assert import_graph(["lisor.a"], tmp_path) == {"lisor.a", "lisor.b", "lisor.d"}


def key(*values: object, without: tuple[str, ...] = ()) -> str:
    return digest(canonical({f"argument{i}": value for i, value in enumerate(values)}, frozenset(without)))


def test_a_key_looks_at_the_content_of_inputs_not_at_their_place() -> None:
    assert key(Ref("kind", "key", "abc")) == key(Ref("kind", "other key", "abc"))
    assert key(Ref("kind", "key", "abc")) != key(Ref("kind", "key", "abd"))
    assert key(Source("a.csv", "abc")) == key(Source("b.csv", "abc"))


def test_a_key_looks_at_every_setting_but_those_left_out() -> None:
    assert key(TrainingConfig()) == key(TrainingConfig())
    assert key(TrainingConfig()) != key(TrainingConfig(seed=1))
    assert key(TrainingConfig(trials=3), without=("argument0.trials",)) == key(
        TrainingConfig(trials=5), without=("argument0.trials",)
    )
    assert key(ModelsConfig(hidden_size=3), 1) != key(ModelsConfig(hidden_size=3), 2)


def test_a_value_that_differs_between_processes_cannot_be_part_of_a_key() -> None:
    with pytest.raises(TypeError, match="cannot be part of a key"):
        key({1, 2})


def test_threads_load_modules_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["slow_module_1", "slow_module_2"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(
            "import time\nbegun = time.monotonic()\ntime.sleep(0.1)\ndone = time.monotonic()\n"
        )
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(load, names))
    first, second = sorted((sys.modules[name] for name in names), key=lambda module: module.begun)
    assert first.done <= second.begun
