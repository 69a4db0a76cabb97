import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.errors import DataError
from lisor.quantizer import BARS, Quantizer, fit


def walks(count: int = 20, steps: int = 24, channels: int = 1, seed: int = 0) -> list[np.ndarray]:
    return [
        np.random.default_rng([seed, i]).normal(5, 3, size=(steps, channels)).cumsum(axis=0)
        for i in range(count)
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("window", [1, 2, 6])
def test_sax_is_that_of_aeon(window):
    sax = pytest.importorskip("aeon.transformations.collection.dictionary_based").SAX
    series = walks()
    quantizer = fit(series, method="sax", symbols=5, window=window, seed=0)
    found = quantizer.read(series).symbols.reshape(len(series), -1)
    normal = (np.stack(series) - quantizer.means) / quantizer.deviations
    theirs = sax(n_segments=24 // window, alphabet_size=5, znormalized=True).fit_transform(
        normal.transpose(0, 2, 1)
    )
    assert (found == theirs[:, 0]).all()


@settings(max_examples=10)
@given(window=st.integers(1, 3), channels=st.integers(1, 3), symbols=st.integers(2, 6))
def test_a_window_is_read_as_the_nearest_prototype(window, channels, symbols):
    series = walks(8, 12, channels)
    quantizer = fit(series, method="kmeans", symbols=symbols, window=window, seed=0)
    read = quantizer.read(series)
    distances = np.square(np.asarray(read.numbers)[:, None] - quantizer.prototypes).sum(axis=2)
    assert np.allclose(
        distances.min(axis=1), distances[np.arange(len(distances)), read.symbols], atol=1e-4
    )
    assert len(set(quantizer.names)) == symbols
    examples = quantizer.read([quantizer.example(symbol) for symbol in range(symbols)])
    assert examples.symbols.tolist() == list(range(symbols))


def test_what_the_network_reads_is_standardised_and_a_rest_is_left_out():
    series = walks(50, 7, 2)
    read = fit(series, method="kmeans", symbols=3, window=3, seed=0).read(series)
    numbers = np.asarray(read.numbers).reshape(-1, 2)
    assert read.lengths.tolist() == [2] * 50
    assert np.abs(numbers.mean(axis=0)).max() < 0.5
    assert numbers.std(axis=0) == pytest.approx(1, abs=0.3)


def test_levels_are_named_by_their_borders_and_in_a_row_by_the_outer_ones():
    quantizer = Quantizer(
        window=1,
        means=[10],
        deviations=[2],
        prototypes=[[-2], [0], [1], [3]],
        breakpoints=[-1, 0.5, 2],
    )
    assert quantizer.names == ("below 8", "8 … 11", "11 … 14", "above 14")
    assert [quantizer.span(*ends) for ends in [(0, 1), (1, 2), (2, 3), (0, 3)]] == [
        "below 11",
        "8 … 14",
        "above 11",
        "any",
    ]


def test_prototypes_are_named_by_their_curves():
    same = [[0, 0.5, 1], [1, 0.5, 0], [0.01, 0.5, 1]]
    names = Quantizer(window=3, means=[0], deviations=[1], prototypes=same).names
    assert names == ("▁▅█", "█▅▁", "▁▅█ 2")
    assert set(names[0]) <= set(BARS)


def test_it_is_read_back_from_json():
    for method in ("kmeans", "sax"):
        quantizer = fit(walks(), method=method, symbols=4, window=2, seed=0)
        again = Quantizer.from_json(json.loads(json.dumps(quantizer.to_json())))
        assert again.names == quantizer.names
        assert (again.read(walks(seed=1)).symbols == quantizer.read(walks(seed=1)).symbols).all()


@pytest.mark.parametrize(
    "change",
    [
        {"window": 0},
        {"means": "x"},
        {"prototypes": [[1, 2, 3]]},
        {"deviations": [float("nan")]},
        {"more": [1]},
    ],
)
def test_another_json_is_refused(change):
    fields = fit(walks(), method="kmeans", symbols=4, window=2, seed=0).to_json()
    for wrong in (fields | change, None, [1]):
        with pytest.raises(DataError, match="expected"):
            Quantizer.from_json(wrong)


@pytest.mark.parametrize(
    ("series", "changes", "says"),
    [
        (
            [np.ones((4, 1)), np.ones((2, 1))],
            {"window": 3},
            "series 2 has 2 steps, fewer than the 3 of a window",
        ),
        (
            [np.ones((4, 1)), np.ones((4, 2))],
            {},
            "expected 1 channels in every series, found 2 in series 2",
        ),
        ([np.array([[1.0], [np.nan]])], {}, "step 2 of series 1"),
        ([np.ones((4, 1))], {}, "4 symbols cannot be made of 1 different windows"),
        ([np.ones((4, 2))], {"method": "sax"}, "one channel, got 2"),
    ],
)
def test_series_that_cannot_be_quantized_are_refused(series, changes, says):
    with pytest.raises(DataError, match=says):
        fit(series, **{"method": "kmeans", "symbols": 4, "window": 1, "seed": 0, **changes})
