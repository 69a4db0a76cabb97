"""Modules of Lightning are read as their trainer leaves them."""

from dataclasses import replace
from itertools import product

import pytest

import lisor
from lisor.automata.languages import LANGUAGES

modules = pytest.importorskip(
    "tests.networks.external.lightning_modules", reason="pip install 'lisor[dev]'"
)

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*:FutureWarning")
@pytest.mark.parametrize("name", modules.TRAINED)
def test_it_is_read_unchanged_and_exactly(name: str) -> None:
    module = modules.TRAINED[name]()
    automaton = lisor.extract(module, WORDS)
    assert automaton.n_states == 4
    meant = replace(LANGUAGES["000"].automaton, target="step" if name == "tagger" else "class")
    assert automaton.distinguishing_word(meant) is None
    assert module.trainer.global_step == 500
