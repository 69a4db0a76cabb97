from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.data.dataset import Dataset, Split
from lisor.extraction.extraction import Extraction
from lisor.report import tables
from lisor.report.language_section import language_blocks, shortest_member
from lisor.report.leading_words import leading_words
from lisor.report.page import Gallery, Table
from lisor.report.text_section import MAX_LISTED, text_blocks
from lisor.sequences import Sequences
from tests.report.conftest import Run, findings, rows


def labelled(labels: dict[str, int], alphabet: str = "01") -> Dataset:
    """A language of one split, the test set, of these words."""
    words = Sequences.from_lists([[alphabet.index(symbol) for symbol in word] for word in labels])
    split = Split(sequences=words, labels=np.array(list(labels.values()), int))
    return Dataset(alphabet=tuple(alphabet), classes=("reject", "accept"), splits={"test": split})


# The shortest member of a language


@pytest.mark.parametrize(
    ("labels", "member"),
    [
        ({"0001": 1, "000": 1, "1000": 1, "0": 0}, "000"),
        ({"10": 1, "01": 1, "011": 1}, "01"),
        ({"1": 1, "": 1}, ""),
        ({"000": 0}, ""),
        ({}, ""),
    ],
)
def test_the_shortest_member_is_found(labels: dict[str, int], member: str) -> None:
    assert "".join(shortest_member(labelled(labels))) == member


def test_of_members_as_short_the_first_in_the_alphabet_is_taken() -> None:
    assert shortest_member(labelled({"a": 1, "b": 1}, alphabet="ba")) == ("b",)


@given(st.dictionaries(st.text("01", max_size=4), st.integers(0, 1)))
def test_no_member_is_shorter(labels: dict[str, int]) -> None:
    members = [word for word, label in labels.items() if label]
    found = "".join(shortest_member(labelled(labels)))
    assert found == min(sorted(members), key=len, default="")


# What is said of a language

WORDS = labelled({"000": 1, "1000": 1, "11": 0})


def chain(method: str, rule: str, k: int) -> Extraction:
    """An automaton of k clusters in a row: 0 leads on, 1 back to the first cluster; the last
    accepts for good."""
    ahead = [min(state + 1, k) for state in range(k + 1)]
    back = [1] * k + [k]
    automaton = Automaton(
        alphabet=("0", "1"),
        classes=("reject", "accept"),
        transitions=np.array([ahead, back]).T,
        outputs=np.arange(k + 1) == k,
    )
    return Extraction(
        method=method, rule=rule, k=k, automaton=automaton, seen=np.ones((k + 1, 2), bool)
    )


NETWORKS = [findings(cell, chain, trial=trial) for cell in ("mgu", "srn") for trial in (0, 1)]

REACHED = {("mgu", 0): 3, ("mgu", 1): 2, ("srn", 0): 4}
"""The k from which the made-up networks reach 0.7; srn never does in trial 1."""


def made_up(methods: tuple[str, ...] = ("kmeans",)) -> pd.DataFrame:
    return rows(
        lambda method, cell, trial, k: 0.8 if k >= REACHED.get((cell, trial), 9) else 0.5,
        methods=methods,
        cells=("mgu", "srn"),
    )


def test_the_blocks_of_a_language_are_those_of_its_goals() -> None:
    *named, automata = language_blocks(made_up(), "000", WORDS, NETWORKS)
    names = [
        "000-clusters-to-reach-0.7",
        "000-claims-0.7",
        "000-clusters-to-reach-1.0",
        "000-claims-1.0",
    ]
    assert [block.name for block in named] == names
    assert automata.title == "The automata at accuracy 0.7"


@pytest.mark.parametrize("name", ["0110", "another"])
def test_a_language_is_to_be_met_exactly(name: str) -> None:
    *named, _ = language_blocks(made_up(), name, WORDS, NETWORKS)
    assert [block.name for block in named] == [
        f"{name}-clusters-to-reach-1.0",
        f"{name}-claims-1.0",
    ]


def reach_table(made: pd.DataFrame) -> Table:
    return next(language_blocks(made, "000", WORDS, NETWORKS))


def test_the_table_of_clusters_counted_by_hand() -> None:
    """mgu needs 3 and 2: 2.5 ± t(0.975; 1)·0.5, and 12.706·0.5 = 6.4; srn 4 and never, at least
    5."""
    table = reach_table(made_up())
    assert table.headings == (
        "method",
        "cell",
        "trial 0",
        "trial 1",
        "mean",
        "minimal states",
        "exact",
    )
    assert table.rows == (
        ("kmeans", "mgu", "3", "2", "2.5 ± 6.4", "3, 2", "0 of 2"),
        ("kmeans", "srn", "4", "> 4", "≥ 4.5", "4, –", "1 of 2"),
    )
    assert table.bold == {(0, 2), (0, 3), (0, 4)}


def test_the_smallest_of_each_method_is_bold() -> None:
    table = reach_table(made_up(methods=("kmeans", "kmeans-x")))
    assert [row[:2] for row in table.rows] == [
        (m, c) for m in ("kmeans", "kmeans-x") for c in ("mgu", "srn")
    ]
    assert table.bold == {(row, column) for row in (0, 2) for column in (2, 3, 4)}


def test_cells_that_need_as_few_are_all_bold() -> None:
    table = reach_table(rows(lambda *_: 1.0, cells=("mgu", "srn")))
    assert table.bold == {(row, column) for row in (0, 1) for column in (2, 3, 4)}


def test_claims_are_checked_for_each_method() -> None:
    _, claims, *_ = language_blocks(made_up(methods=("kmeans", "kmeans-x")), "000", WORDS, NETWORKS)
    difference = str(f"{tables.Interval.of([4 - 3, 5 - 2]):.1f}")
    row = ("mgu needs fewer clusters than srn", difference, "0.500", "undecided")
    assert claims.rows == (("kmeans", *row), ("kmeans-x", *row))
    assert "for 2 trials cannot fall below 0.500" in claims.caption


def test_claims_of_one_trial_or_one_cell_are_left_out() -> None:
    for made in (
        made_up()[lambda table: table["trial"] == 0],
        made_up()[lambda table: table["cell"] == "mgu"],
    ):
        blocks = language_blocks(made, "000", WORDS, NETWORKS)
        assert not [
            block for block in blocks if isinstance(block, Table) and "claims" in block.name
        ]


def test_the_automaton_of_the_first_trial_is_drawn_at_its_number_of_clusters() -> None:
    *_, gallery = language_blocks(made_up(methods=("kmeans", "kmeans-x")), "000", WORDS, NETWORKS)
    titles = [
        "mgu, kmeans, n_c = 3",
        "srn, kmeans, n_c = 4",
        "mgu, kmeans-x, n_c = 3",
        "srn, kmeans-x, n_c = 4",
    ]
    assert [picture.title for picture in gallery.pictures] == titles
    first, *_ = gallery.pictures
    assert first.name == "000-mgu-0-kmeans-reaches-0.7"
    nodes = ElementTree.fromstring(first.svg).findall(
        ".//{http://www.w3.org/2000/svg}g[@class='node']/"
    )
    assert {node.text for node in nodes if node.tag.endswith("title")} == {"0", "1", "2", "3"}


def test_an_automaton_that_never_reaches_the_accuracy_is_not_drawn() -> None:
    made = made_up().replace({"trial": {0: 1, 1: 0}})
    *_, gallery = language_blocks(made, "000", WORDS, NETWORKS)
    assert [picture.name for picture in gallery.pictures] == ["000-mgu-0-kmeans-reaches-0.7"]


def test_the_path_of_the_shortest_member_is_red() -> None:
    *_, gallery = language_blocks(made_up(), "000", WORDS, NETWORKS)
    assert "Red is the path of 000." in gallery.caption
    assert all("#c1121f" in picture.svg for picture in gallery.pictures)
    *_, gallery = language_blocks(made_up(), "000", labelled({"": 1}), NETWORKS)
    assert "Red is the path of the empty word." in gallery.caption
    assert not any("#c1121f" in picture.svg for picture in gallery.pictures)


def test_a_run_in_which_nothing_was_reached_is_told_all_the_same() -> None:
    reach, *_, gallery = language_blocks(
        rows(lambda *_: 0.1, cells=("mgu", "srn")), "000", WORDS, NETWORKS
    )
    texts = ("> 4", "> 4", "≥ 5.0", "–, –", "0 of 2")
    assert reach.rows == (("kmeans", "mgu", *texts), ("kmeans", "srn", *texts))
    assert gallery.pictures == ()


def test_the_automaton_of_the_language_itself_can_be_shown() -> None:
    automaton = LANGUAGES["000"].automaton
    found = Extraction(
        method="kmeans", rule="majority", k=3, automaton=automaton, seen=np.ones((4, 2), bool)
    )
    network = findings("mgu", lambda method, rule, k: found)
    *_, gallery = language_blocks(
        rows(lambda *_: 1.0, cells=("mgu",), ks=(3,)), "000", WORDS, [network]
    )
    assert [picture.title for picture in gallery.pictures] == ["mgu, kmeans, n_c = 3"]


# What is said of labelled text


def of_opinions(run: Run) -> tuple[pd.DataFrame, Dataset, list]:
    rows = run.results[run.results["dataset"] == "opinions"]
    networks = [network for network in run.networks if network.dataset == "opinions"]
    return rows, run.datasets["opinions"], networks


def test_the_blocks_of_a_text_are_of_its_smallest_automata(run: Run) -> None:
    made, dataset, networks = of_opinions(run)
    accuracy, classes, words, lexicon = text_blocks(made, "opinions", dataset, networks)
    assert accuracy.name == "opinions-accuracy-at-2"
    assert [picture.name for picture in classes.pictures] == ["opinions-gru-0-word-classes"]
    assert (words.name, lexicon.name) == ("opinions-leading-words", "opinions-lexicon")


def test_accuracies_of_a_text_are_means_over_trials(run: Run) -> None:
    made, dataset, networks = of_opinions(run)
    accuracy, *_ = text_blocks(made, "opinions", dataset, networks)
    assert [row[:2] for row in accuracy.rows] == [("kmeans", "gru"), ("kmeans-x", "gru")]
    for method, _, *texts in accuracy.rows:
        own = made[(made["method"] == method) & (made["k"] == 2) & (made["test_set"] == "test")]
        columns = ("rnn_accuracy", "accuracy", "fidelity")
        assert texts == [str(tables.Interval.of(own[name].tolist())) for name in columns]


def test_words_are_those_of_every_trials_automaton(run: Run) -> None:
    made, dataset, networks = of_opinions(run)
    _, _, words, _ = text_blocks(made, "opinions", dataset, networks)
    automata = {network.trial: network.extraction("kmeans", "majority", 2) for network in networks}
    for row, target in zip(words.rows, (1, 0), strict=True):
        listed = leading_words(automata, target)
        assert row == (
            "gru",
            dataset.classes[target],
            str(len(listed)),
            ", ".join(map(str, listed)) or "–",
        )


SENTIMENT = ("<unk>", "good", "bad", "film", *(f"word{i}" for i in range(60)))


def opinions(classes: tuple[str, ...] = ("neg", "pos")) -> Dataset:
    split = Split(sequences=Sequences.from_lists([[1], [2]]), labels=np.array([1, 0]))
    return Dataset(
        alphabet=Alphabet(symbols=SENTIMENT, unknown=0, tokenizer="words"),
        classes=classes,
        splits={"test": split},
    )


def sentiment(method: str, rule: str, k: int, *, seen: tuple[str, ...]) -> Extraction:
    """A negative cluster 1 and a positive cluster 2: bad leads to the first, all other words to the
    second."""
    leads_to = [1 if word == "bad" else 2 for word in SENTIMENT]
    automaton = Automaton(
        alphabet=SENTIMENT,
        classes=("neg", "pos"),
        transitions=np.array([leads_to] * 3),
        outputs=np.array([0, 0, 1]),
    )
    shown = np.tile([word in seen for word in SENTIMENT], (3, 1))
    return Extraction(method=method, rule=rule, k=k, automaton=automaton, seen=shown)


def text_tables(
    *seen: tuple[str, ...], classes: tuple[str, ...] = ("neg", "pos")
) -> list[Table | Gallery]:
    """The blocks of one network for each trial, whose validation showed these words."""
    networks = [
        findings("gru", lambda *key, seen=shown: sentiment(*key, seen=seen), trial=trial)
        for trial, shown in enumerate(seen)
    ]
    return list(
        text_blocks(rows(trials=range(len(seen)), ks=(2,)), "made-up", opinions(classes), networks)
    )


def test_words_and_their_trials_found_by_hand() -> None:
    _, _, words, lexicon = text_tables(("good", "bad"), ("good", "film"), ("good", "word7", "film"))
    assert words.rows == (
        ("gru", "pos", "3", "good (0–2), film (1, 2), word7 (2)"),
        ("gru", "neg", "1", "bad (0)"),
    )
    assert lexicon.rows == (
        ("gru", "pos", "1 of 1, 1.00", "1 of 1, 1.00", "1 of 2, 0.50"),
        ("gru", "neg", "1 of 1, 1.00", "0 of 0", "1 of 2, 0.50"),
    )


def test_words_of_most_trials_are_those_of_more_than_half() -> None:
    _, _, _, lexicon = text_tables(("good",), ("film",))
    assert lexicon.rows[0] == ("gru", "pos", "1 of 1, 1.00", "0 of 0", "1 of 2, 0.50")


def test_only_the_first_words_are_listed_and_all_are_counted() -> None:
    *_, words, _ = text_tables(SENTIMENT)
    into_pos, _ = words.rows
    assert into_pos[2] == str(len(SENTIMENT) - 1)
    assert into_pos[3] == ", ".join(
        f"{word} (0)" for word in SENTIMENT if word != "bad" and word in into_pos[3]
    )
    assert into_pos[3].count("(0)") == MAX_LISTED


def test_a_class_that_no_word_leads_into_has_none_listed() -> None:
    *_, words, _ = text_tables(("good",))
    assert words.rows[1] == ("gru", "neg", "0", "–")


@pytest.mark.parametrize("classes", [("cats", "dogs"), ("cats", "dogs", "pos"), ("0", "1")])
def test_a_lexicon_says_nothing_of_other_classes(classes: tuple[str, ...]) -> None:
    *_, last = text_tables(("good",), classes=classes)
    assert last.name == "made-up-leading-words"
    assert [row[1] for row in last.rows] == list(reversed(classes))


@pytest.mark.parametrize("classes", [("neg", "pos"), ("negative", "positive")])
def test_a_lexicon_speaks_of_sentiment(classes: tuple[str, ...]) -> None:
    *_, last = text_tables(("good",), classes=classes)
    assert last.name == "made-up-lexicon"


def test_one_automaton_is_drawn_for_each_cell_that_of_its_first_trial() -> None:
    _, gallery, *_ = text_tables(("good",), ("film",))
    (picture,) = gallery.pictures
    assert picture.name == "made-up-gru-0-word-classes"
    assert "good" in picture.svg
    assert "film" not in picture.svg


def test_a_network_without_that_many_clusters_is_left_out() -> None:
    made = pd.concat([rows(cells=("gru",), ks=(2, 3)), rows(cells=("mgu",), ks=(3,))])
    networks = [
        findings(cell, lambda *key: sentiment(*key, seen=("good",))) for cell in ("gru", "mgu")
    ]
    accuracy, gallery, words, _ = text_blocks(made, "made-up", opinions(), networks)
    assert [row[1] for row in accuracy.rows] == ["gru"]
    assert [picture.title for picture in gallery.pictures] == ["gru"]
    assert {row[0] for row in words.rows} == {"gru"}
