"""The blocks of the report on labelled text: tables 4 and 5 and figure 7 of Hou & Zhou (2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from lisor.automata import drawing
from lisor.data.dataset import Dataset
from lisor.extraction.extraction import Extraction
from lisor.registry import PAPER_RULE
from lisor.report import tables
from lisor.report.findings import Findings
from lisor.report.leading_words import SENTIMENT, LeadingWord, leading_words, lexicon_agreement
from lisor.report.page import Gallery, Picture, Table

MAX_LISTED = 40
"""Words of a list that are printed; all of them are counted."""


def text_blocks(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[Table | Gallery]:
    """The smallest automata of the grid, for two classes those of the paper: their accuracy and
    their words."""
    method = str(rows["method"].iloc[0])
    k = int(rows.loc[rows["method"] == method, "k"].min())
    yield _accuracy_table(rows, name, k)
    here = rows[(rows["method"] == method) & (rows["k"] == k)]
    extractions = {
        (network.cell, network.trial): network.extraction(method, PAPER_RULE, k)
        for network in networks
        if (here["cell"].eq(network.cell) & here["trial"].eq(network.trial)).any()
    }
    yield _compressed(extractions, name, k, method)
    yield from _words_tables(extractions, name, dataset, k, method)


def _accuracy_table(rows: pd.DataFrame, name: str, k: int) -> Table:
    means = tables.means_at(rows, k)
    return Table(
        name=f"{name}-accuracy-at-{k}",
        title=f"Accuracy of network and automaton at n_c = {k}",
        caption="On the test set, mean and 95 % interval over trials: the network, its automaton "
        f"of {k} clusters, and how often both agree (fidelity).",
        headings=("method", "cell", "network", "automaton", "fidelity"),
        rows=tuple((*index, *map(str, row)) for index, row in means.iterrows()),
    )


def _compressed(
    extractions: dict[tuple[str, int], Extraction], name: str, k: int, method: str
) -> Gallery:
    """Figure 7 of the paper: all words from one state to another as one word class."""
    first = {cell: (trial, automaton) for (cell, trial), automaton in reversed(extractions.items())}
    pictures = [
        Picture(
            name=f"{name}-{cell}-{trial}-word-classes",
            title=cell,
            caption=f"Trial {trial}, {method}: state 0 is the start; 1-2 are the words from state "
            "1 to state 2, their number, and the most frequent of them.",
            svg=drawing.render(
                drawing.to_dot(extraction.deterministic, extraction.seen, word_classes=True)
            ),
        )
        for cell, (trial, extraction) in reversed(first.items())
    ]
    return Gallery(
        title=f"The automata of {k} clusters, words in classes",
        caption="One edge stands for all words that lead from one state to another; a word that "
        "validation never showed in a state is not drawn and changes nothing.",
        pictures=tuple(pictures),
    )


def _words_tables(
    extractions: dict[tuple[str, int], Extraction], name: str, dataset: Dataset, k: int, method: str
) -> Iterator[Table]:
    """Table 5 of the paper, and how far a lexicon agrees."""
    sentiment = dataset.classes in SENTIMENT
    lists: list[tuple[str, int, list[LeadingWord]]] = []
    for cell in dict.fromkeys(cell for cell, _ in extractions):
        automata = {
            trial: extraction for (name, trial), extraction in extractions.items() if name == cell
        }
        lists += [
            (cell, target, leading_words(automata, target))
            for target in reversed(range(len(dataset.classes)))
        ]
    yield Table(
        name=f"{name}-leading-words",
        title="Words that lead into each class",
        caption=f"Words that take the automaton of {k} clusters ({method}) from a state of "
        "another class into one of this class, with the trials whose automaton they come from in "
        f"brackets: those of most trials first, then the most frequent; at most {MAX_LISTED} are "
        "listed.",
        headings=("cell", "into", "words", "the first of them"),
        rows=tuple(
            (
                cell,
                dataset.classes[target],
                f"{len(words):,}",
                ", ".join(map(str, words[:MAX_LISTED])) or "–",
            )
            for cell, target, words in lists
        ),
    )
    if sentiment:
        yield Table(
            name=f"{name}-lexicon",
            title="Do people rate these words as the automaton does?",
            caption="Of the words that lead into each class, those that the VADER lexicon (Hutto "
            "& Gilbert, 2014) has rated, and how many of these it rates as the class is: the "
            "words of the list above, and those on which more than half of the trials agree. By "
            "chance it would be as for the whole alphabet.",
            headings=("cell", "into", "all words", "words of most trials", "whole alphabet"),
            rows=tuple(
                (
                    cell,
                    dataset.classes[target],
                    str(lexicon_agreement([word.word for word in words], positive=target == 1)),
                    str(
                        lexicon_agreement(
                            [
                                w.word
                                for w in words
                                if 2 * len(w.trials) > _trials(extractions, cell)
                            ],
                            positive=target == 1,
                        )
                    ),
                    str(lexicon_agreement(dataset.alphabet, positive=target == 1)),
                )
                for cell, target, words in lists
            ),
        )


def _trials(extractions: dict[tuple[str, int], Extraction], cell: str) -> int:
    return sum(name == cell for name, _ in extractions)
