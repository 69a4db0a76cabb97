"""What networks and automata read: symbols, and how raw input becomes them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.errors import DataError
from lisor.quantizer import Quantizer, fit
from lisor.tokenizer import tokenize

BINARY = Alphabet(symbols=("0", "1"))
NAMES = Alphabet(symbols=("0", "up", "down"))
TEXT = Alphabet(symbols=("<unk>", "bad", "n't"), unknown=0, tokenizer="words")
LEVELS = Quantizer(window=2, means=[0], deviations=[1], prototypes=[[0, 0], [1, 1]])
SERIES = Alphabet(symbols=LEVELS.names, quantizer=LEVELS)

alphabets = st.sampled_from([BINARY, NAMES, TEXT, SERIES])


def test_a_text_is_cut_into_words_where_there_is_a_tokenizer() -> None:
    assert TEXT.cut("It isn't BAD!") == tokenize("It isn't BAD!")


def test_a_text_is_cut_into_characters_where_each_symbol_is_one() -> None:
    assert BINARY.cut("0110") == ["0", "1", "1", "0"]
    assert Alphabet(symbols=("0", " ")).cut("0 0") == ["0", " ", "0"]


def test_a_text_is_cut_at_blanks_where_a_symbol_is_longer() -> None:
    assert NAMES.cut(" up 0  up\t0\n") == ["up", "0", "up", "0"]


def test_an_unknown_tokenizer_is_refused() -> None:
    with pytest.raises(DataError, match="expected the tokenizer 'words' or none, got 'letters'"):
        Alphabet(symbols=("0", "1"), tokenizer="letters").read(["0"])


@given(st.lists(st.sampled_from(NAMES.symbols)) | st.lists(st.sampled_from(BINARY.symbols)))
def test_symbols_are_cut_as_they_were_joined(symbols: list[str]) -> None:
    for alphabet in (NAMES, BINARY):
        if set(symbols) <= set(alphabet):
            assert alphabet.cut(alphabet.join(symbols)) == symbols


def test_symbols_that_are_not_known_are_read_as_the_unknown_one() -> None:
    read = TEXT.read(["Bad film", "", "isn't"])
    assert [word.tolist() for word in read] == [[1, 0], [], [0, 2]]


def test_symbols_that_are_not_known_are_refused_where_there_is_no_unknown_one() -> None:
    with pytest.raises(DataError, match=r"alphabet \('0', '1'\), got '2' in row 12$"):
        BINARY.read(["01", "", "012"], 10)
    with pytest.raises(DataError, match=r"got '2'$"):
        BINARY.encode(["012"])


def test_series_are_read_with_the_numbers_that_their_symbols_are_made_of() -> None:
    read = SERIES.read(["0 0 1 1", "[0.9, 1.2]"])
    assert [word.tolist() for word in read] == [[0, 1], [1]]
    assert read.numbers is not None
    np.testing.assert_allclose(read.numbers, [[0, 0], [1, 1], [0.9, 1.2]], rtol=1e-6)
    assert SERIES.cut("0 0 1 1") == list(LEVELS.names)
    with pytest.raises(DataError, match="row 8 of 'series', got 'one'"):
        SERIES.read(["0 0", "one"], 7)


@given(alphabets)
def test_an_alphabet_is_read_as_it_was_written(alphabet: Alphabet) -> None:
    read = Alphabet.from_json(json.loads(json.dumps(alphabet.to_json())))
    assert read == alphabet
    assert hash(read) == hash(alphabet)


def test_an_alphabet_is_the_sequence_of_its_symbols() -> None:
    assert (len(NAMES), NAMES[1], NAMES[1:], list(NAMES)) == (
        3,
        "up",
        ("up", "down"),
        list(NAMES.symbols),
    )
    assert "up" in NAMES
    assert "left" not in NAMES
    assert NAMES == ("0", "up", "down")
    assert Alphabet(symbols=TEXT.symbols) != TEXT


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbols": ()}, "one or more different symbols"),
        ({"symbols": ("0", "0")}, "one or more different symbols"),
        ({"unknown": 2}, "the unknown symbol must be one of 0 … 1, got 2"),
        ({"unknown": -1}, "the unknown symbol must be one of 0 … 1, got -1"),
        (
            {"quantizer": replace(LEVELS, prototypes=[[0, 0]])},
            "2 symbols need a quantizer of as many, got 1",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(BINARY, **fields)


@given(
    st.dictionaries(
        st.sampled_from(["symbols", "unknown", "tokenizer", "quantizer"]),
        st.none() | st.text() | st.lists(st.integers()),
    )
)
def test_no_value_crashes_the_reader(fields: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Alphabet.from_json({**TEXT.to_json(), **fields, "symbols": 3})
    with pytest.raises(DataError, match="expected an alphabet"):
        Alphabet.from_json(list(fields))


# One line for a sequence


@given(
    names=st.lists(st.text(max_size=3), min_size=2, max_size=4, unique=True),
    numbers=st.lists(st.integers(0, 1), max_size=6),
)
def test_a_line_is_read_as_the_sequence_that_was_written(names, numbers):
    alphabet = Alphabet.of(names)
    line = alphabet.write(numbers)
    assert len(line.splitlines()) <= 1 or not set(line) & set("\r\n")
    assert alphabet.read([line]).symbols.tolist() == numbers


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("0", "1"), "10"),
        (("left", "right"), "right left"),
        (("turn left", "right"), '["right", "turn left"]'),
        (("\n", "a"), r'["a", "\n"]'),
        (("", "a"), '["a", ""]'),
    ],
)
def test_names_with_blanks_or_ends_of_lines_are_written_as_lists(names, line):
    assert Alphabet.of(names).write([1, 0]) == line


@pytest.mark.parametrize("method", ["sax", "kmeans"])
@pytest.mark.parametrize(("channels", "window"), [(1, 1), (1, 3), (2, 2)])
def test_a_series_is_written_as_the_numbers_of_its_prototypes(method, channels, window):
    if method == "sax" and channels > 1:
        pytest.skip("SAX has one channel")
    rng = np.random.default_rng(0)
    series = [rng.normal(3, 2, (40, channels)) for _ in range(10)]
    quantizer = fit(series, method=method, symbols=4, window=window, seed=0)
    alphabet = Alphabet(symbols=quantizer.names, quantizer=quantizer)
    line = alphabet.write([2, 0, 3, 1])
    assert np.array(json.loads(line)).shape == ((4 * window,) + (channels,) * (channels > 1))
    assert alphabet.read([line]).symbols.tolist() == [2, 0, 3, 1]
