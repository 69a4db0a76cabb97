"""What the report says of labelled text: tables 4 and 5 and figure 7 of Hou & Zhou (2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from lisor.data.dataset import Dataset
from lisor.fsa.extraction import Extraction
from lisor.report import drawing, tables
from lisor.report.findings import Findings
from lisor.report.leading_words import SENTIMENT, LeadingWord, leading_words, lexicon_agreement
from lisor.report.page import Gallery, Picture, Table

MOST_LISTED = 40
"""Words of a list that are printed; all of them are counted."""


def text_blocks(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[Table | Gallery]:
    """The smallest automata of the grid, for two classes those of the paper: their accuracy and their words."""
    method = str(rows["method"].iloc[0])
    k = int(rows.loc[rows["method"] == method, "k"].min())
    yield _accuracy_table(rows, name, k)
    here = rows[(rows["method"] == method) & (rows["k"] == k)]
    found = {
        (network.cell, network.trial): network.extraction(method, "majority", k)
        for network in networks
        if (here["cell"].eq(network.cell) & here["trial"].eq(network.trial)).any()
    }
    yield _compressed(found, name, k, method)
    yield from _words_tables(found, name, dataset, k, method)


def _accuracy_table(rows: pd.DataFrame, name: str, k: int) -> Table:
    means = tables.means_at(rows, k)
    return Table(
        name=f"{name}-accuracy-at-{k}",
        title=f"Accuracy of network and automaton at n_c = {k}",
        caption=f"On the test set, mean and 95 % interval over trials: the network, its automaton of {k} clusters, "
        "and how often both agree (fidelity).",
        headings=("method", "cell", "network", "automaton", "fidelity"),
        rows=tuple((*index, *map(str, row)) for index, row in means.iterrows()),
    )


def _compressed(found: dict[tuple[str, int], Extraction], name: str, k: int, method: str) -> Gallery:
    """Figure 7 of the paper: all words from one state to another as one word class."""
    first = {cell: (trial, automaton) for (cell, trial), automaton in reversed(found.items())}
    pictures = [
        Picture(
            name=f"{name}-{cell}-{trial}-word-classes",
            title=cell,
            caption=f"Trial {trial}, {method}: state 0 is the start; 1-2 are the words from state 1 to state 2, their "
            "number, and the most frequent of them.",
            svg=drawing.render(drawing.to_dot(extraction.automaton, extraction.seen, word_classes=True)),
        )
        for cell, (trial, extraction) in reversed(first.items())
    ]
    return Gallery(
        title=f"The automata of {k} clusters, words in classes",
        caption="One edge stands for all words that lead from one state to another; a word that validation never "
        "showed in a state is not drawn and changes nothing.",
        pictures=tuple(pictures),
    )


def _words_tables(
    found: dict[tuple[str, int], Extraction], name: str, dataset: Dataset, k: int, method: str
) -> Iterator[Table]:
    """Table 5 of the paper, and how far a lexicon agrees."""
    sentiment = dataset.classes in SENTIMENT
    lists: list[tuple[str, int, list[LeadingWord]]] = []
    for cell in dict.fromkeys(cell for cell, _ in found):
        automata = {trial: extraction for (own, trial), extraction in found.items() if own == cell}
        lists += [(cell, target, leading_words(automata, target)) for target in reversed(range(len(dataset.classes)))]
    yield Table(
        name=f"{name}-leading-words",
        title="Words that lead into each class",
        caption=f"Words that take the automaton of {k} clusters ({method}) from a state of another class into one of "
        "this class, with the trials whose automaton they come from in brackets: those of most trials first, then "
        f"the most frequent; at most {MOST_LISTED} are listed.",
        headings=("cell", "into", "words", "the first of them"),
        rows=tuple(
            (cell, dataset.classes[target], f"{len(words):,}", ", ".join(map(str, words[:MOST_LISTED])) or "–")
            for cell, target, words in lists
        ),
    )
    if sentiment:
        yield Table(
            name=f"{name}-lexicon",
            title="Do people feel about these words as the automaton does?",
            caption="Of the words that lead into each class, those that the VADER lexicon (Hutto & Gilbert, 2014) has "
            "rated, and how many of these it rates with the sign of the class: the words of the list above, and "
            "those on which more than half of the trials agree. By chance it would be as for the whole vocabulary.",
            headings=("cell", "into", "all words", "words of most trials", "whole vocabulary"),
            rows=tuple(
                (
                    cell,
                    dataset.classes[target],
                    str(lexicon_agreement([word.word for word in words], positive=target == 1)),
                    str(lexicon_agreement([w.word for w in words if 2 * len(w.trials) > _trials(found, cell)],
                                          positive=target == 1)),
                    str(lexicon_agreement(dataset.vocabulary, positive=target == 1)),
                )
                for cell, target, words in lists
            ),
        )  # fmt: skip


def _trials(found: dict[tuple[str, int], Extraction], cell: str) -> int:
    return sum(own == cell for own, _ in found)
