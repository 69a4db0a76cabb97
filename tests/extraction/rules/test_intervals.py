"""Edges that are intervals of the numbers that a network reads."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lisor
from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset
from lisor.data.series import build
from lisor.errors import AutomatonError
from lisor.extraction.extract import extract
from lisor.extraction.numbers_read import Row, heavy, medians, share_below
from lisor.extraction.view import View
from lisor.networks.hidden_states import collect
from lisor.networks.trained import TrainedModel
from lisor.networks.training import train
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.data.test_forecasts import HOW

CUT = 0.3


def as_numbers(name: str, count: int) -> pd.DataFrame:
    """Words of a language with a number for each letter: up to `CUT` for 0, above it for 1."""
    words, rng = lisor.words(name, max_length=8), np.random.default_rng(0)
    rows = []
    for split, size in (("train", count), ("validation", 300), ("test", 300)):
        part = words.splits["train"]
        for row in rng.permutation(np.flatnonzero(part.sequences.lengths > 0))[:size]:
            letters = part.sequences[row]
            low, high = np.where(letters == 0, 0, CUT), np.where(letters == 0, CUT, 1)
            label = words.classes[part.labels[row]]
            rows.append((rng.uniform(low, high)[:, None], label, split))
    return pd.DataFrame(rows, columns=["series", "label", "split"])


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Series that are accepted unless a number up to `CUT` comes."""
    return build(as_numbers("tomita-1", 2000), **(HOW | {"symbol_count": 5}))


@pytest.fixture(scope="module")
def model(data: Dataset) -> TrainedModel:
    settings = TrainingSettings(max_epochs=60, batch_size=32)
    (network,) = train(
        data, cell="gru", models=ModelsSettings(hidden_size=8), settings=settings, trials=[0]
    )
    return network


def view_of(model: TrainedModel, data: Dataset, k: int) -> View:
    points = collect(model, data.splits["validation"].sequences)
    (clustering,) = cluster(points, [k], method="kmeans", seed=0)
    return View(network=model, points=points, clustering=clustering)


@pytest.mark.parametrize("k", [4, 8])
def test_numbers_are_cut_where_the_network_changes_its_answers(data, model, k):
    (made,) = extract(view_of(model, data, k), ["intervals"])
    automaton, test = made.automaton, data.splits["test"]
    quantizer = automaton.alphabet.quantizer
    cuts = quantizer.breakpoints * quantizer.deviations + quantizer.means
    assert np.abs(cuts - CUT).min() < 0.03
    predicted = model.predict(test.sequences).argmax(axis=1)
    assert (automaton.classify(test.sequences) == predicted).mean() > 0.97
    for letters in product("01", repeat=5):
        series = " ".join("0.15" if letter == "0" else "0.65" for letter in letters)
        (answer,) = automaton.classify(automaton.alphabet.read([series]))
        assert automaton.classes[answer] == ("reject" if "0" in letters else "accept")


def test_an_automaton_over_intervals_reads_series_by_itself(data, model):
    (made,) = extract(view_of(model, data, 6), ["intervals"])
    raw = ["0.9 0.8 0.95", "0.9 0.05 0.95"]
    words = made.automaton.alphabet.read(raw)
    classes = [made.automaton.classes[c] for c in made.automaton.classify(words)]
    assert classes == ["accept", "reject"]
    # the same numbers with the symbols of the dataset
    np.testing.assert_array_equal(
        made.automaton.classify(data.alphabet.read(raw)), made.automaton.classify(words)
    )


def test_networks_that_read_symbols_have_no_intervals():
    words = lisor.words("tomita-1", max_length=4)
    network = lisor.train(words, hidden_size=2)
    with pytest.raises(AutomatonError, match="is not for gru, which reads symbols"):
        extract(view_of(network, words, 3), ["intervals"])


# Rows


@st.composite
def rows(draw: st.DrawFn) -> Row:
    cuts = sorted(draw(st.sets(st.integers(1, 99), max_size=6)))
    ends = draw(st.lists(st.integers(0, 3), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    return Row(cuts=np.array(cuts, float) / 100, ends=np.array(ends))


NUMBERS = np.linspace(0, 1, 201)


@given(row=rows())
def test_a_row_that_is_simplified_has_no_small_intervals_and_no_idle_cuts(row):
    blocks = np.array([0, 0, 1, 2])
    small = row.simplified(blocks, NUMBERS, 0.1)
    between = blocks[small.ends]
    assert (between[1:] != between[:-1]).all()
    below = np.concatenate([[0], share_below(small.cuts, NUMBERS), [1]])
    assert len(small.cuts) == 0 or np.diff(below).min() >= 0.1
    assert len(small.ends) == len(small.cuts) + 1
    assert set(between) <= set(blocks[row.ends])


@given(row=rows())
def test_a_row_without_small_intervals_stays_as_it_is(row):
    blocks = np.arange(4)
    if (row.ends[1:] != row.ends[:-1]).all():
        same = row.simplified(blocks, NUMBERS, 0.0)
        np.testing.assert_array_equal(same.cuts, row.cuts)
        np.testing.assert_array_equal(same.ends, row.ends)


@given(row=rows())
def test_the_median_of_an_interval_lies_in_it(row):
    inside = np.searchsorted(row.cuts, medians(row.cuts, NUMBERS), side="right")
    assert inside.tolist() == list(range(len(row.ends)))


def test_heavy_intervals_are_those_of_many_numbers():
    row = Row(cuts=np.array([0.495, 0.505]), ends=np.array([0, 1, 2]))
    middles, edges = heavy([row], NUMBERS, 0.02)
    assert len(middles) == 2
    assert edges.tolist() == [0.5]
