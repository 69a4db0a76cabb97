"""Write docs/external.md: which modules of other people are read, and how exactly.

make external"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import torch

import lisor
from docs.report_of import ROOT
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.automata.regex import compile_regex
from lisor.networks.external.adapt import adapt
from tests.networks.external import catalogue

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]

EVEN_PARITY = compile_regex("(0*10*1)*0*", ("0", "1"))


def main() -> None:
    """Train each module, read it, and write the page."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of torch's for scripts and quantising
    warnings.simplefilter("ignore", UserWarning)
    torch.set_num_threads(1)
    page = "\n".join(_page()) + "\n"
    (ROOT / "docs/external.md").write_text(page, encoding="utf-8")


def _page() -> Iterator[str]:
    yield "# Networks of other people"
    yield ""
    yield (
        "Written by `make external`. Each module stands in tests/networks/external/catalogue.py, "
        "written as tutorials write it. It is\n"
        "trained on whether a word (a tagger: each prefix) contains 000, 500 steps, one seed, and "
        "handed to `lisor.extract` unchanged with\n"
        "the words of up to 7 symbols. The true automaton has 4 states. One thread."
    )
    yield ""
    yield "| module | answers once a | state | seconds | states | exact |"
    yield "| --- | --- | --- | --- | --- | --- |"
    modules = {name: one for name, one in catalogue.MODULES.items() if one.target != "next"}
    exact = 0
    for name, one in modules.items():
        row, is_exact = _row(name, one, catalogue.contains_000, LANGUAGES["000"].automaton)
        exact += is_exact
        yield row
    yield ""
    yield f"Exact: {exact} of {len(modules)}."
    yield ""
    yield (
        "The same with attention on words of an even number of 1, where every symbol counts, after "
        "1,500 steps:"
    )
    yield ""
    yield "| module | answers once a | state | seconds | states | exact |"
    yield "| --- | --- | --- | --- | --- | --- |"
    attention = catalogue.MODULES["attention pooling"]
    yield _row("attention pooling", attention, _is_even, EVEN_PARITY, steps=1500)[0]
    yield ""
    yield from _how()


def _row(
    name: str,
    one: catalogue.Entry,
    meant: Callable[[torch.Tensor], torch.Tensor],
    true: Automaton,
    **options: Any,
) -> tuple[str, bool]:
    """A row of the table, and whether the automaton is exact."""
    module = catalogue.train(one, meant, **options)
    start = time.perf_counter()
    automaton = lisor.extract(module, WORDS)
    seconds = time.perf_counter() - start
    network = adapt(module, automaton.alphabet.symbols)
    is_exact = automaton.distinguishing_word(replace(true, target=automaton.target)) is None
    state = " + ".join(map(str, network.sizes))
    position = {"class": "word", "step": "symbol"}[network.target]
    answer = "yes" if is_exact else "no"
    return (
        f"| {name} | {position} | {state} numbers | {seconds:.1f} | {automaton.n_states} | "
        f"{answer} |",
        is_exact,
    )


def _is_even(words: torch.Tensor) -> torch.Tensor:
    return torch.logical_not(catalogue.has_odd_ones(words))


def _how() -> Iterator[str]:
    yield "## How a module is read"
    yield ""
    yield (
        "Torch's operators show what happens inside any module, whatever its layers are called, "
        "scripted and quantised ones too\n"
        "(`lisor/networks/external/trace.py`).\n"
        "\n"
        "- *Calls.* Symbol numbers or one-hot vectors, batch or time first, all at once or one by "
        "one, with lengths, a mask or a hidden\n"
        "  state beside them: tried in this order, until the answer to each word depends on that "
        "word alone, and one after each symbol on\n"
        "  what was read so far. Of several tensors the outputs are `logits`, `scores`, … or the "
        "one that is made of the others.\n"
        "- *State.* The tensors that depend on what was read, not on what follows, and that "
        "something reads which does. In their place any\n"
        "  state is the one before the next symbol, for many states at a time.\n"
        "- *Pooling.* What is made of the outputs of all steps, the mean, the largest, the sum or "
        "the sum weighted by a softmax, is kept\n"
        "  up step by step beside the state: attention by p' = p + exp(e − z') (v − p), z' = "
        "log(exp z + exp e).\n"
        "- *Test.* What is stepped must give the module's own answers to random words of 1 to 12 "
        "symbols, but for rounding. A module that\n"
        "  does not is refused: one that reads backwards too, self-attention, random answers."
    )


if __name__ == "__main__":
    main()
