"""Write docs/external.md: which modules of other people are read, and how exactly.

make external"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import nn

import lisor
from docs.report_of import ROOT
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.automata.regex import compile_regex
from lisor.networks.external.adapt import adapt
from lisor.sequences import Sequences
from tests.networks.external import (
    catalogue,
    keras_models,
    lightning_modules,
    transformers_models,
)

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]

READ = Sequences.from_lists([[int(symbol) for symbol in word] for word in WORDS])

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
    yield from _table("module", _trained(catalogue.MODULES))
    yield ""
    yield (
        "The same with attention on words of an even number of 1, where every symbol counts, after "
        "1,500 steps:"
    )
    yield ""
    attention = partial(
        catalogue.train, catalogue.MODULES["attention pooling"], _is_even, steps=1500
    )
    yield from _table("module", {"attention pooling": attention}, EVEN_PARITY)
    yield ""
    yield "What is kept of all steps in other ways, of modules that came later:"
    yield ""
    yield from _table("module", _trained(catalogue.MORE))
    yield ""
    yield (
        "Where the network itself is wrong on some words, the automaton is not exact either.\n"
        "\n"
        "## Networks of other libraries\n"
        "\n"
        "Models as the guides of their libraries write and train them, handed over as they are: "
        "tests/networks/external/keras_models.py,\n"
        "lightning_modules.py and transformers_models.py."
    )
    yield ""
    yield from _table("Keras on torch", keras_models.TRAINED)
    yield ""
    yield from _table("Lightning", lightning_modules.TRAINED)
    yield ""
    yield from _table("transformers, with a linear head", transformers_models.TRAINED)
    yield ""
    yield (
        "The xLSTM, of 128 units and 600 steps, is right on these words and wrong on some that are "
        "longer."
    )
    yield ""
    yield from _how()


def _trained(entries: Mapping[str, catalogue.Entry]) -> dict[str, Callable[[], nn.Module]]:
    """What trains each module that answers as an automaton can."""
    return {
        name: partial(catalogue.train, one) for name, one in entries.items() if one.target != "next"
    }


def _table(
    kind: str,
    trained: Mapping[str, Callable[[], nn.Module]],
    true: Automaton = LANGUAGES["000"].automaton,
) -> Iterator[str]:
    """A row for each module, and how many automata are exact."""
    yield f"| {kind} | answers once a | state | seconds | states | exact |"
    yield "| --- | --- | --- | --- | --- | --- |"
    exact = 0
    for name, train in trained.items():
        module = train()
        start = time.perf_counter()
        automaton = lisor.extract(module, WORDS)
        seconds = time.perf_counter() - start
        network = adapt(module, automaton.alphabet.symbols)
        meant = replace(true, target=automaton.target)
        is_exact = automaton.distinguishing_word(meant) is None
        exact += is_exact
        is_right = np.array_equal(network.predict(READ).argmax(axis=1), meant.classify(READ))
        answer = "yes" if is_exact else "no" if is_right else "no, nor is the network"
        state = " + ".join(map(str, network.sizes))
        position = {"class": "word", "step": "symbol"}[network.target]
        yield (
            f"| {name} | {position} | {state} numbers | {seconds:.1f} | {automaton.n_states} | "
            f"{answer} |"
        )
    if len(trained) > 1:
        yield ""
        yield f"Exact: {exact} of {len(trained)}."


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
        "- *Pooling.* What is made of the outputs or the embeddings of all steps, the mean, the "
        "largest, the sum, that of exponentials or one\n"
        "  weighted by scores, by softmax or by hand, is kept up step by step beside the state: "
        "attention by p' = p + exp(e − z') (v − p),\n"
        "  z' = log(exp z + exp e).\n"
        "- *Windows.* A convolution over steps is run step by step too: the symbols that it still "
        "sees are a part of the state.\n"
        "- *Caches.* A model of transformers is called on one symbol after the other with "
        "`use_cache=True`. What its cache holds of a word,\n"
        "  and its output, are the state: Mamba, Mamba-2, FalconMamba, xLSTM, RWKV. RWKV mixes the "
        "words of a batch of single symbols\n"
        "  where it returns its state: set `config.use_cache = False` first. Models with attention "
        "to earlier symbols are refused: their\n"
        "  cache grows with each, or is not returned (RecurrentGemma, whose window of keys also "
        "counts positions on without end).\n"
        "- *Gradients* (`lisor explain`). They end where symbols become numbers: at the rows that "
        "an embedding, a table or one-hot vectors\n"
        "  give for them, or at numbers they are turned into. Calls with other symbols show which "
        "row belongs to which step. Scripted and\n"
        "  quantised modules do not show it: they are explained by removal.\n"
        "- *Test.* What is stepped must give the module's own answers to random words of 1 to 12 "
        "symbols, but for rounding. A module that\n"
        "  does not is refused: one that reads backwards too, self-attention, random answers."
    )


if __name__ == "__main__":
    main()
