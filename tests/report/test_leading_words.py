import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.data.lexicon import valences
from lisor.extraction.extraction import Extraction
from lisor.extraction.transitions import START
from lisor.report.leading_words import LeadingWord, leading_words, lexicon_agreement
from tests.strategies import extractions

NEG, POS = 0, 1

several = st.lists(extractions(symbols=6, unseen="stay"), min_size=1, max_size=3).map(
    lambda found: dict(zip((0, 2, 5), found, strict=False))
)
few = settings(max_examples=30)


def opinion(
    alphabet: tuple[str, ...], transitions: list[list[int]], seen: list[list[int]]
) -> Extraction:
    """An automaton of a negative start, a negative cluster 1 and a positive cluster 2."""
    automaton = Automaton(
        alphabet=alphabet,
        classes=("neg", "pos"),
        transitions=np.array(transitions),
        outputs=np.array([NEG, NEG, POS]),
    )
    return Extraction(
        method="kmeans", rule="majority", k=2, automaton=automaton, seen=np.array(seen, bool)
    )


WORDS = ("film", "good", "bad", "great")
TRANSITIONS = [
    [1, 2, 1, 2],
    [1, 2, 1, 2],
    [2, 2, 1, 2],
]  # good and great lead to 2, bad to 1, film nowhere
FIRST = opinion(
    WORDS, TRANSITIONS, [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1]]
)  # never great in 1, nor bad in 2
SECOND = opinion(WORDS, TRANSITIONS, [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]])


def test_words_that_lead_into_a_class_found_by_hand() -> None:
    automata = {0: FIRST, 1: SECOND}
    into_pos = [LeadingWord(word="good", trials=(0, 1)), LeadingWord(word="great", trials=(1,))]
    assert leading_words(automata, POS) == into_pos
    assert leading_words(automata, NEG) == [LeadingWord(word="bad", trials=(1,))]


def test_what_leads_from_the_start_alone_leads_into_no_class() -> None:
    only_start = opinion(WORDS, TRANSITIONS, [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert leading_words({0: only_start}, POS) == []


@few
@given(several, st.sampled_from([NEG, POS]))
def test_every_listed_word_leads_from_another_class_into_the_class(
    automata: dict[int, Extraction], target: int
) -> None:
    for listed in leading_words(automata, target):
        assert listed.trials
        for trial in listed.trials:
            found = automata[trial]
            symbol = found.automaton.alphabet.index(listed.word)
            steps = [
                (state, found.automaton.transitions[state, symbol])
                for state in np.flatnonzero(found.seen[:, symbol])
            ]
            outputs = [
                (found.automaton.outputs[a], found.automaton.outputs[b])
                for a, b in steps
                if a != START
            ]
            assert any(before != target and after == target for before, after in outputs)


@few
@given(several, st.sampled_from([NEG, POS]))
def test_every_word_that_leads_into_the_class_is_listed(
    automata: dict[int, Extraction], target: int
) -> None:
    leading = set()
    for trial, found in automata.items():
        automaton = found.automaton
        for state in range(1, automaton.n_states):
            for symbol, word in enumerate(automaton.alphabet):
                after = automaton.outputs[automaton.transitions[state, symbol]]
                if found.seen[state, symbol] and automaton.outputs[state] != target == after:
                    leading.add((word, trial))
    listed = leading_words(automata, target)
    assert {(word.word, trial) for word in listed for trial in word.trials} == leading
    assert len({word.word for word in listed}) == len(listed)


@few
@given(several, st.sampled_from([NEG, POS]))
def test_words_of_most_trials_come_first_then_the_more_frequent(
    automata: dict[int, Extraction], target: int
) -> None:
    listed = leading_words(automata, target)
    alphabet = automata[0].automaton.alphabet
    keys = [(-len(word.trials), alphabet.index(word.word)) for word in listed]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("trials", "text"),
    [
        ((3,), "gem (3)"),
        ((0, 1), "gem (0, 1)"),
        ((0, 2, 4), "gem (0, 2, 4)"),
        ((0, 1, 2, 3, 4), "gem (0–4)"),
        ((0, 2, 3), "gem (0, 2, 3)"),
        ((0, 1, 2, 5, 7, 8, 9), "gem (0–2, 5, 7–9)"),
    ],
)
def test_three_trials_or_more_in_a_row_are_named_by_their_ends(
    trials: tuple[int, ...], text: str
) -> None:
    assert str(LeadingWord(word="gem", trials=trials)) == text


@pytest.mark.parametrize(
    ("words", "positive", "text"),
    [
        (["good", "awful", "great", "film"], True, "2 of 3, 0.67"),
        (["good", "awful", "great", "film"], False, "1 of 3, 0.33"),
        (["film", "the"], True, "0 of 0"),
        ([], False, "0 of 0"),
    ],
)
def test_agreement_is_counted_among_rated_words(
    words: list[str], positive: bool, text: str
) -> None:
    agreement = lexicon_agreement(words, positive=positive)
    assert (agreement.words, str(agreement)) == (len(words), text)


@few
@given(st.lists(st.sampled_from([*sorted(valences())[::100], "film", "the", "<unk>"])))
def test_every_rated_word_agrees_with_one_class(words: list[str]) -> None:
    positive, negative = (lexicon_agreement(words, positive=sign) for sign in (True, False))
    assert positive.agreeing + negative.agreeing == positive.rated == negative.rated
    assert positive.rated == sum(word in valences() for word in words)
