import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.languages import LANGUAGES
from lisor.data import words
from lisor.randomness import stream, stream_seed

ROOT = Path(__file__).parent.parent
names = st.lists(st.one_of(st.text(max_size=5), st.integers(0, 2**31)), max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)


@given(seeds, seeds, names, names)
def test_a_stream_is_known_by_its_seed_and_its_name_together(one, other, name, another):
    numbers, others = (
        stream(*key).integers(2**63, size=4) for key in ((one, *name), (other, *another))
    )
    assert np.array_equal(numbers, stream(one, *name).integers(2**63, size=4))
    assert np.array_equal(numbers, others) == ((one, name) == (other, another))
    assert stream_seed(one, *name) == stream_seed(one, *name) < 2**32


@given(seeds, names)
def test_a_named_stream_is_none_that_the_bare_seed_begins(seed, name):
    bare = [
        np.random.default_rng(entropy).integers(2**63, size=4)
        for entropy in (seed, [seed, 0], [seed, 1])
    ]
    assert not any(
        np.array_equal(stream(seed, *name).integers(2**63, size=4), numbers) for numbers in bare
    )


def test_no_other_module_makes_generators_and_no_two_uses_share_a_name() -> None:
    used = Counter[str]()
    for path in (
        path for layer in ("lisor", "tasks", "flows") for path in (ROOT / layer).rglob("*.py")
    ):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if path.name != "randomness.py":
            assert not attributes & {"default_rng", "SeedSequence", "PCG64", "Philox"}, path
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("stream", "stream_seed")
            ):
                assert len(node.args) > 1, (path, node.lineno)
                used[ast.unparse(node.args[1])] += 1
    assert len(used) > 20
    # A second name distinguishes the splits, random test sets and near misses of a language.
    assert {name: count for name, count in used.items() if count > 1} == {"'words'": 3}


@pytest.mark.parametrize("seed", [0, 1])
def test_every_split_and_test_set_of_a_language_is_drawn_from_a_stream_of_its_own(
    seed, monkeypatch
) -> None:
    asked: list[tuple[int, ...]] = []

    def watched(*key: int | str) -> np.random.Generator:
        asked.append(tuple(stream(*key).integers(2**63, size=8)))
        return stream(*key)

    monkeypatch.setattr(words, "stream", watched)
    sizes = {"train": 200, "validation": 50, "selection": 50, "test": 50}
    words.build(LANGUAGES["000"], sizes=sizes, max_length=12, balanced=True, seed=seed)
    assert len(asked) == len(set(asked)) == len(sizes) + 4


def test_more_training_words_leave_the_words_of_validation_as_they_are() -> None:
    few, many = (
        words.build(
            LANGUAGES["000"],
            sizes={"train": size, "validation": 50},
            max_length=12,
            balanced=True,
            seed=0,
        )
        for size in (100, 200)
    )
    assert few.splits["validation"].sequences.keys() == many.splits["validation"].sequences.keys()
