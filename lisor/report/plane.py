"""Hidden states drawn in the plane.

Shapes: P points, H hidden units, M points that are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from sklearn.manifold import TSNE

from lisor.errors import SchemaError
from lisor.randomness import stream, stream_seed
from lisor.rnn.network import Network

MOST_SHOWN = 700
"""Points that are shown; more would hide each other."""

PERPLEXITY = 30.0

ANGLE, ITERATIONS = 0.8, 500
"""Of t-SNE: a third of the time of scikit-learn's 0.5 and 1,000, and neighbours are kept as well (trustworthiness of 12
neighbours on states of four networks: 0.979, 0.983, 0.998, 0.998 beside 0.977, 0.983, 0.998, 0.998)."""

SCHEMA = 1
"""Version of the file written by `Plane.write`."""

_FILE = "plane.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """M hidden states of one network: the row of each in the dump, its place, and what the network answers there."""

    rows: Int[np.ndarray, " M"]
    places: Float[np.ndarray, "M 2"]
    answers: Int[np.ndarray, " M"]

    def write(self, folder: Path) -> None:
        """Write `plane.parquet`."""
        columns = {"row": self.rows, "x": self.places[:, 0], "y": self.places[:, 1], "answer": self.answers}
        about = {"lisor": json.dumps({"schema": SCHEMA})}
        pq.write_table(pa.table(columns).replace_schema_metadata(about), folder / _FILE)

    @classmethod
    def read(cls, folder: Path) -> Plane:
        """The points that `write` left in `folder`.

        Raises:
            SchemaError: they were written by another version."""
        table = pq.read_table(folder / _FILE)
        schema = json.loads(table.schema.metadata[b"lisor"])["schema"]
        if schema != SCHEMA:
            raise SchemaError(f"expected points in the plane of schema {SCHEMA}, got {schema}; run the step again")
        rows, x, y, answers = (table[name].to_numpy() for name in ("row", "x", "y", "answer"))
        return cls(rows=rows, places=np.column_stack([x, y]), answers=answers)


def project(
    model: Network, states: Float[np.ndarray, "P H"], given: Int[np.ndarray, " P"] | None = None, seed: int = 0
) -> Plane:
    """A sample of the distinct hidden states in two dimensions, near ones near.

    What the network answers there is `given` where it does not follow from the states.

    t-SNE (van der Maaten & Hinton, 2008) by scikit-learn, begun from the two principal components."""
    distinct = np.unique(np.round(states, 5), axis=0, return_index=True)[1]
    rows = np.sort(distinct)
    if len(rows) > MOST_SHOWN:
        rows = np.sort(stream(seed, "plane").choice(rows, MOST_SHOWN, replace=False))
    shown = states[rows]
    if len(rows) < 4 or shown.shape[1] < 2:
        flat = np.zeros((len(rows), 2), np.float32)
        flat[:, : shown.shape[1]] = shown[:, :2]
        places = flat
    else:
        perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
        own = stream_seed(seed, "t-SNE")
        tsne = TSNE(perplexity=perplexity, init="pca", angle=ANGLE, max_iter=ITERATIONS, random_state=own)
        places = tsne.fit_transform(shown.astype(np.float64))
    answers = model.probabilities(shown).argmax(axis=1) if given is None else given[rows]
    return Plane(rows=rows.astype(np.int64), places=np.asarray(places, np.float32), answers=answers.astype(np.int32))
