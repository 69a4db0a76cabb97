"""What a step's code reaches, on small packages made for the purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from lisor_tasks.reach import CodeBase, Reached

MODULES = {
    "lisor/__init__.py": "",
    "lisor/sizes.py": """
        LIMIT = 3
        UNUSED = 4

        def limit() -> int:
            return LIMIT
        """,
    "lisor/cells.py": """
        from typing import TYPE_CHECKING

        import numpy as np

        from lisor.errors import Bad

        if TYPE_CHECKING:
            import pandas

        class GRU:
            def step(self): return np.tanh(1)

        class LSTM:
            def step(self): return helper()

        def helper(): return 2

        CELLS = {"gru": GRU, "lstm": LSTM}
        RULES = Registry({"gru": "lisor.cells:GRU", "sizes": "lisor.sizes:limit"})
        SIZES = {"gru": 1, "lstm": 2}

        def follow(name: str):
            return RULES[name]()

        def make(name: str):
            if name not in CELLS:
                raise Bad(f"one of {', '.join(CELLS)}, not {name}")
            return CELLS[name]()
        """,
    "lisor/errors.py": "class Bad(Exception): ...\nclass Other(Exception): ...\n",
    "lisor/settings.py": """
        from dataclasses import dataclass

        USUAL = 10

        @dataclass
        class Settings:
            size: int | None = None
            def __post_init__(self): check(self)
            @property
            def total(self): return self.size or USUAL
            @property
            def title(self): return "title"

        def check(settings): ...
        """,
    "lisor_tasks/__init__.py": "",
    "lisor_tasks/artifacts.py": "def open_store(): return 1\n",
    "lisor_tasks/steps.py": """
        from pathlib import Path
        from lisor_tasks.artifacts import open_store
        from lisor_tasks.caching import cached

        @cached("kind", name="a {title}")
        def draw(folder: Path, settings) -> None:
            from lisor import sizes
            open_store()
            sizes.limit(settings.total)

        @cached("kind", name="train")
        def train(folder, cell):
            from lisor.cells import make
            make(cell)

        def passes_a_module_on(folder):
            from lisor import sizes
            print(sizes)

        def looks_up_any_name(folder):
            return globals()["draw"]

        def shadows(folder, limit):
            return [sizes for sizes in limit]
        """,
}


@pytest.fixture
def reach(tmp_path: Path) -> Callable[..., Reached]:
    """What a function of the packages reaches, after some texts in their files were replaced."""

    def find(
        function: str,
        *edits: tuple[str, str, str],
        names: frozenset[str] = frozenset(),
        classes: frozenset[str] = frozenset(),
    ) -> Reached:
        for name, text in MODULES.items():
            text = dedent(text)
            for file, old, new in edits:
                if file == name:
                    assert old in text
                    text = text.replace(old, new)
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        code = CodeBase({package: tmp_path / package for package in ("lisor", "lisor_tasks")})
        return code.reach(f"lisor_tasks.steps.{function}", names, classes)

    return find


def test_names_are_followed_through_imports_in_functions_to_constants(reach) -> None:
    found = reach("draw")
    assert set(found.definitions) == {
        "lisor_tasks.steps.draw",
        "lisor.sizes.limit",
        "lisor.sizes.LIMIT",
    }
    assert found.modules == {"lisor_tasks.steps", "lisor.sizes"}
    assert not found.unfollowed


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("lisor/sizes.py", "LIMIT = 3", "LIMIT = 100"),
        ("lisor/sizes.py", "return LIMIT", "return -LIMIT"),
        ("lisor_tasks/steps.py", "sizes.limit(settings.total)", "sizes.limit(settings.total + 1)"),
    ],
)
def test_an_edit_of_what_is_reached_changes_a_digest(reach, file: str, old: str, new: str) -> None:
    assert reach("draw").definitions != reach("draw", (file, old, new)).definitions


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("lisor/sizes.py", "UNUSED = 4", "UNUSED = 5"),
        (
            "lisor/sizes.py",
            "def limit() -> int:",
            'def limit() -> "float":\n    "Words."\n    # why',
        ),
        ("lisor/sizes.py", "LIMIT = 3", "LIMIT: int = (\n    3\n)\n'Words.'"),
        ("lisor_tasks/steps.py", 'name="a {title}"', 'name="b {title}"'),
        ("lisor_tasks/artifacts.py", "return 1", "return 2"),
    ],
    ids=[
        "another constant",
        "annotation, docstring and comment",
        "layout",
        "the step's own decorator",
        "the store",
    ],
)
def test_an_edit_of_anything_else_changes_none(reach, file: str, old: str, new: str) -> None:
    annotated = (
        [(file, old, "LIMIT: float = 3")] if "LIMIT: int" in new else []
    )  # else it is another statement
    assert reach("draw", *annotated).definitions == reach("draw", (file, old, new)).definitions


def test_of_a_table_those_entries_count_that_an_argument_names(reach) -> None:
    gru = reach("train", names=frozenset({"attention-gru"}))
    assert {"lisor.cells.GRU", "lisor.cells.CELLS[gru]"} <= set(gru.definitions)
    assert not {"lisor.cells.LSTM", "lisor.cells.helper", "lisor.cells.CELLS"} & set(
        gru.definitions
    )
    assert (gru.libraries, reach("train", names=frozenset({"lstm"})).libraries) == (
        {"numpy"},
        set(),
    )
    more = ("lisor/cells.py", '"lstm": LSTM', '"lstm": LSTM, "new": GRU')
    assert (
        reach("train", more, names=frozenset({"gru"})).definitions
        == reach("train", names=frozenset({"gru"})).definitions
    )


def test_a_table_counts_whole_where_no_argument_names_an_entry(reach) -> None:
    found = reach("train")
    assert {
        "lisor.cells.GRU",
        "lisor.cells.LSTM",
        "lisor.cells.helper",
        "lisor.cells.CELLS",
    } <= set(found.definitions)


def test_a_table_counts_whole_where_it_is_gone_through(reach) -> None:
    every = ("lisor/cells.py", "return CELLS[name]()", "return [cell() for cell in CELLS.values()]")
    assert "lisor.cells.LSTM" in reach("train", every, names=frozenset({"gru"})).definitions


def test_the_class_of_an_error_counts_but_not_its_message(reach) -> None:
    names = frozenset({"gru"})
    before = reach("train", names=names).definitions
    assert "lisor.errors.Bad" in before
    assert reach("train", ("lisor/cells.py", "one of", "any of"), names=names).definitions == before
    assert (
        reach("train", ("lisor/errors.py", "class Other", "class Third"), names=names).definitions
        == before
    )
    assert (
        reach("train", ("lisor/cells.py", "raise Bad", "raise ValueError"), names=names).definitions
        != before
    )


def test_of_an_argument_those_methods_count_that_may_be_called_and_not_how_it_was_made(
    reach,
) -> None:
    classes = frozenset({"lisor.settings.Settings"})
    found = reach("draw", classes=classes)
    assert {"lisor.settings.Settings.total", "lisor.settings.USUAL"} <= set(found.definitions)
    assert not {"lisor.settings.Settings.title", "lisor.settings.check"} & set(found.definitions)
    field = ("lisor/settings.py", "    size: int", "    more: int = 0\n    size: int")
    assert reach("draw", field, classes=classes).definitions == found.definitions
    usual = ("lisor/settings.py", "USUAL = 10", "USUAL = 11")
    assert reach("draw", usual, classes=classes).definitions != found.definitions


def test_what_cannot_be_followed_is_listed_and_its_module_counts_whole(reach) -> None:
    found = reach("passes_a_module_on")
    assert found.unfollowed == {"lisor_tasks.steps.passes_a_module_on"}
    assert "lisor.sizes.UNUSED" in found.definitions
    found = reach("looks_up_any_name")
    assert "lisor_tasks.steps.looks_up_any_name" in found.unfollowed
    assert "lisor_tasks.steps.shadows" in found.definitions


def test_a_variable_that_hides_a_name_of_the_module_is_not_followed(reach) -> None:
    assert set(reach("shadows").definitions) == {"lisor_tasks.steps.shadows"}


def test_what_a_module_does_when_it_is_imported_counts(reach) -> None:
    effect = ("lisor/sizes.py", "UNUSED = 4", "import os\nos.nice(0)")
    assert "lisor.sizes.<statements>" in reach("draw", effect).definitions
    branch = ("lisor/sizes.py", "LIMIT = 3", "if True:\n    LIMIT = 3")
    found = reach("draw", branch).definitions
    assert {"lisor.sizes.LIMIT", "lisor.sizes.<statements>"} <= set(found)


def test_a_name_that_means_another_definition_changes_the_digest(reach) -> None:
    swapped = (
        "lisor_tasks/steps.py",
        "from lisor import sizes\n    open",
        "from lisor import cells as sizes\n    open",
    )
    limit = ("lisor/cells.py", "SIZES = ", "def limit(): return 3\nSIZES = ")
    before, after = reach("draw", limit).definitions, reach("draw", limit, swapped).definitions
    assert before["lisor_tasks.steps.draw"] != after["lisor_tasks.steps.draw"]


def test_numbers_and_texts_that_look_alike_are_told_apart(reach) -> None:
    numbers = [reach("draw", ("lisor/sizes.py", "LIMIT = 3", f"LIMIT = "
                                                             f"{value}")).definitions["lisor.sizes.LIMIT"]
               for value in ("1", "1.0", "'1.0'", "True", "None", "b'1.0'")]  # fmt: skip
    assert len(set(numbers)) == len(numbers)


def test_entries_of_a_registry_are_followed_to_where_they_lie(reach) -> None:
    follow = (
        "lisor_tasks/steps.py",
        "from lisor.cells import make\n",
        "from lisor.cells import follow as make\n",
    )
    found = set(reach("train", follow, names={"sizes"}).definitions)
    assert {"lisor.sizes.limit", "lisor.sizes.LIMIT"} <= found
    assert not {"lisor.cells.GRU", "lisor.cells.RULES"} & found
