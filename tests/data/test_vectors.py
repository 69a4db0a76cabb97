import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.data.vectors import Word2Vec, read_vectors
from lisor.errors import DataError

# Reading

VOCABULARY = ("<pad>", "<unk>", "good", "bad")
GLOVE = "good 1 2 3\nother 9 9 9\nbad 3 4 5\n"


@pytest.mark.parametrize("header", ["", "3 3\n"], ids=["glove", "word2vec"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
def test_vectors_are_read_and_missing_ones_are_the_mean(tmp_path, header, zipped):
    path = tmp_path / ("vectors.txt.gz" if zipped else "vectors.txt")
    content = (header + GLOVE).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    vectors, notes = read_vectors(path, VOCABULARY)
    assert not notes
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[0, 0, 0], [2, 3, 4], [1, 2, 3], [3, 4, 5]]


def test_a_word_with_capitals_has_the_vector_of_its_small_letters(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("Bad 7 7\n" + "good 1 2\nbad 3 4\n")
    vectors, notes = read_vectors(path, ("<unk>", "Good", "Bad", "Ugly"))
    assert vectors.tolist() == [[4, 4.5], [1, 2], [7, 7], [4, 4.5]]
    (note,) = notes
    assert note.startswith("vectors.txt lacks 2 of 3 words: 1 have the vector of the word in small")


ZIPPED = gzip.compress(GLOVE.encode(), mtime=0)
NO_VECTORS = {
    "ragged": ("v.txt", b"good 1 2 3\nbad 1 2\n", r"line 2 of v\.txt: expected 3 numbers, got 2"),
    "no number": ("v.txt", b"good 1 2 x\n", r"v\.txt is not a text file of word vectors"),
    "not finite": ("v.txt", b"good 1 2\nbad 1 nan\n", r"v\.txt"),
    "other words": ("v.txt", b"other 1 2 3\n", r"v\.txt has a vector for none of the 4 words"),
    "empty": ("v.txt", b"", "for none of the 4 words"),
    "words alone": ("v.txt", b"good\nbad\n", r"line 1 of v\.txt: expected a word and its numbers"),
    "binary": ("v.txt", b"\xff\xfe\x00", "is not a text file of word vectors"),
    "not zipped": ("v.txt.gz", GLOVE.encode(), "is not a text file of word vectors"),
    "zip cut short": ("v.txt.gz", ZIPPED[:-12], "is not a text file of word vectors"),
    "zip damaged": ("v.txt.gz", ZIPPED[:10] + b"\xff" * 20, "is not a text file of word vectors"),
}


@pytest.mark.parametrize(("name", "content", "message"), NO_VECTORS.values(), ids=NO_VECTORS)
def test_a_file_that_holds_no_word_vectors_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_vectors(path, VOCABULARY)


vector_like = st.lists(
    st.sampled_from(["good", "bad", "1", "-2.5", "nan", "1e999", "x", " ", "\n"])
).map("".join)


@given(
    st.binary(max_size=60) | vector_like.map(str.encode),
    st.sampled_from(["plain", "zipped", "not zipped"]),
)
def test_no_bytes_crash_the_reader(tmp_path_factory, content, how):
    path = tmp_path_factory.getbasetemp() / ("any.txt" if how == "plain" else "any.txt.gz")
    path.write_bytes(gzip.compress(content) if how == "zipped" else content)
    try:
        vectors, _ = read_vectors(path, VOCABULARY)
    except DataError:
        return
    assert len(vectors) == len(VOCABULARY)
    assert np.isfinite(vectors).all()


def test_a_missing_file_of_vectors_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"expected a file of word vectors.*glove\.txt does not exist"
    ):
        read_vectors(tmp_path / "glove.txt", VOCABULARY)


# Training

PETS, MARKET = ("cat", "dog"), ("price", "share")
"""Words of a pair stand in the same places; the pairs have no word around them in common."""


def sentences(count: int = 300) -> list[list[str]]:
    """Sentences of pets and of a market, in each of which either word of a pair fits as well."""
    rng = np.random.default_rng(0)
    places = {
        PETS: ("runs", "eats", "sleeps", "purrs"),
        MARKET: ("falls", "rises", "closes", "swings"),
    }
    pairs = [list(places)[i % 2] for i in range(count)]
    return [[str(rng.choice(pair)), *map(str, rng.choice(places[pair], 3))] for pair in pairs]


WORDS = ("<pad>", "<unk>", *sorted({word for sentence in sentences() for word in sentence}))


def train(
    texts=None, alphabet=WORDS, *, size: int = 6, seed: int = 0, epochs: int = 2
) -> np.ndarray:
    return Word2Vec(size=size, seed=seed, epochs=epochs).train(
        sentences() if texts is None else texts, alphabet
    )


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_the_same_seed_trains_the_same_bytes():
    many = sentences() * 40  # more than gensim gives to a thread at a time
    assert train(many).tobytes() == train(many).tobytes()


def test_another_seed_trains_other_vectors():
    assert not np.array_equal(train(), train(seed=1))


@pytest.mark.parametrize("size", [1, 4])
def test_there_is_a_vector_of_that_size_for_each_word(size):
    vectors = train(size=size)
    assert (vectors.shape, vectors.dtype) == ((len(WORDS), size), np.float32)
    assert (vectors[2:] != 0).any(axis=1).all()


def test_trained_vectors_have_unit_variance_and_padding_is_zeros():
    vectors = train()
    assert not vectors[0].any()
    assert vectors[2:].var() == pytest.approx(1, rel=1e-4)


def test_words_that_stand_in_the_same_places_are_closer_than_others():
    vectors = dict(zip(WORDS, train(epochs=100), strict=True))
    alike = [cosine(vectors[one], vectors[other]) for one, other in (PETS, MARKET)]
    apart = [cosine(vectors[one], vectors[other]) for one in PETS for other in MARKET]
    assert min(alike) > max(apart) + 0.3


def test_a_word_that_does_not_occur_has_no_vector_of_its_own():
    vectors = train(alphabet=(*WORDS, "unicorn"))
    assert not vectors[1].any()
    assert not vectors[-1].any()
    np.testing.assert_array_equal(vectors[:-1], train())


@settings(max_examples=10)
@given(st.sets(st.sampled_from(WORDS[2:]), min_size=1, max_size=len(WORDS) - 3))
def test_words_outside_the_vocabulary_count_as_unknown(lacking):
    known = tuple(word for word in WORDS if word not in lacking)
    marked = [
        ["<unk>" if word in lacking else word for word in sentence] for sentence in sentences(20)
    ]
    vectors = train(sentences(20), known)
    np.testing.assert_array_equal(vectors, train(marked, known))
    assert vectors[1].any() == any("<unk>" in sentence for sentence in marked)


def test_empty_texts_change_nothing():
    np.testing.assert_array_equal(train([[], *sentences(), []]), train())
