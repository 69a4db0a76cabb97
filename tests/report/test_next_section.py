"""What the report says of language models beside n-grams."""

import pytest

from lisor.report.next_section import NGramReference, worse_than_ngrams
from tests.report.conftest import findings, rows

REFERENCE = NGramReference(order=3, perplexity=2.0)


@pytest.mark.parametrize(
    ("network", "automaton", "named"),
    [
        (1.5, 1.6, []),
        (1.5, 2.5, ["Automata"]),
        (2.5, 1.9, ["Networks"]),
        (2.0, 2.0, ["Networks", "Automata"]),
    ],
)
def test_networks_and_automata_that_are_worse_than_ngrams_are_named(network, automaton, named):
    table = rows(trials=(0,)).assign(rnn_perplexity=network, perplexity=automaton)
    notes = list(worse_than_ngrams(table, REFERENCE, [findings("gru", lambda *_: None)]))
    assert [note.split()[0] for note in notes] == named
    assert all(
        "no better than the 3-gram, whose perplexity is 2.000: gru-0" in note for note in notes
    )
