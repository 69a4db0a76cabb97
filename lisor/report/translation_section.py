"""The blocks of the report on translations: how many are right, and what wrong ones look like.

Shapes: N translations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from lisor.automata import pdfa
from lisor.data.dataset import Dataset
from lisor.networks import completion
from lisor.report.figures import accuracy_against_states
from lisor.report.findings import Findings
from lisor.report.page import Picture, Table
from lisor.sequences import Sequences

EXAMPLES = 24
"""Translations that are shown, the wrong ones first."""

CUT = "…"
"""At the end of a translation that was cut."""


def translation_blocks(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[Table | Picture]:
    """Exact matches of each network and its selected automaton, those of all automata against
    their states, and examples of the first network of each cell."""
    test = rows[rows["test_set"] == "test"]
    yield Table(
        name=f"{name}-exact-match",
        title="Translations without a mistake",
        caption="The share of the sources of the test set, none of which is a source of another "
        "split, of which network and selected automaton give the target by greedy decoding: the "
        "most likely symbol again and again, until it is the end.",
        headings=("cell", "trial", "network", "automaton", "states"),
        rows=tuple(
            (
                network.cell,
                str(network.trial),
                f"{row['rnn_exact_match']:.3f}",
                f"{row['exact_match']:.3f}",
                str(row["n_states"]),
            )
            for network in networks
            for _, row in network.rows(test[test["selected"]]).iterrows()
        ),
    )
    yield Picture(
        name=f"{name}-exact-match",
        title="Translations without a mistake against the number of states",
        caption="The best exact match on the test set among deterministic automata of at most so "
        "many states, mean over trials; dotted, the network's own. The best is picked on the test "
        "set, so this shows what is there, not what was chosen.",
        svg=accuracy_against_states(rows, measure="exact_match"),
    )
    for network in networks:
        if network.trial == 0:
            selected = network.rows(test[test["selected"]]).iloc[0]
            yield _examples(selected, name, dataset, network)


def _examples(row: pd.Series, name: str, dataset: Dataset, network: Findings) -> Table:
    """Some test sources with their targets and what network and selected automaton make of them."""
    extraction = network.extraction(row["method"], row["rule"], int(row["k"]))
    sources, targets = split_at(dataset.splits["test"].sequences, dataset.separator)
    longest = 2 * int(targets.lengths.max(initial=0)) + 1
    model = network.network()
    made = {
        "network": completion.complete(model, sources, max_length=longest),
        "automaton": pdfa.complete(extraction.deterministic, sources, max_length=longest),
    }
    right = np.array(
        [
            [drawn == target for drawn, target in zip(words.keys(), targets.keys(), strict=True)]
            for words, _ in made.values()
        ]
    )
    # first what the network has wrong, then what only the automaton has
    order = np.argsort(2 * right[0] + right[1], kind="stable")[:EXAMPLES]
    alphabet = dataset.alphabet

    def text(words: Sequences, example: int) -> str:
        return alphabet.join(alphabet[symbol] for symbol in words[example])

    wrong = (~right).sum(axis=1)
    return Table(
        name=f"{network.label}-translations",
        title=f"Translations of {network.label}",
        caption=f"Of {len(sources):,} test sources the network has {wrong[0]:,} wrong and its "
        f"selected automaton {wrong[1]:,}. Those that the network has wrong come first, then those "
        "that the automaton has; wrong ones are in bold type.",
        headings=("source", "target", "network", "automaton"),
        rows=tuple(
            (
                alphabet.join(alphabet[symbol] for symbol in sources[example][:-1]),
                text(targets, example),
                *(
                    text(words, example) + ("" if ended[example] else CUT)
                    for words, ended in made.values()
                ),
            )
            for example in order.tolist()
        ),
        bold=frozenset(
            (at, 2 + column)
            for at, example in enumerate(order.tolist())
            for column in range(2)
            if not right[column][example]
        ),
    )


def split_at(sequences: Sequences, separator: int | None) -> tuple[Sequences, Sequences]:
    """N sequences up to their separator, which is with them, and what comes after it."""
    ends: Int[np.ndarray, " N"] = np.flatnonzero(sequences.symbols == separator) + 1
    starts, lengths = sequences.offsets[:-1], ends - sequences.offsets[:-1]
    return sequences.cut(starts, lengths), sequences.cut(ends, sequences.lengths - lengths)
