"""A 2-D embedding of hidden states by t-SNE.

Shapes: P points, H hidden units, M points that are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int, Shaped
from sklearn.manifold import TSNE

from lisor.errors import SchemaError
from lisor.networks.network import Network
from lisor.randomness import stream, stream_seed
from lisor.registry import TARGETS

MAX_POINTS = 700
"""The most points that are shown; more would hide each other."""

PERPLEXITY = 30.0

ANGLE, ITERATIONS = 0.8, 500
"""Of t-SNE: a third of the time of scikit-learn's 0.5 and 1,000, and neighbours are kept as well
(trustworthiness of 12 neighbours on states of four networks: 0.979, 0.983, 0.998, 0.998 beside
0.977, 0.983, 0.998, 0.998)."""

SCHEMA = 1
"""Version of the file written by `Embedding.write`."""

_FILE = "plane.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """M hidden states of one network: the row of each in the dump, its position, and the class that
    the network predicts there, or of numbers the first."""

    rows: Int[np.ndarray, " M"]
    positions: Float[np.ndarray, "M 2"]
    predictions: Shaped[np.ndarray, " M"]

    def write(self, folder: Path) -> None:
        """Write a Parquet file into `folder`."""
        columns = {
            "row": self.rows,
            "x": self.positions[:, 0],
            "y": self.positions[:, 1],
            "answer": self.predictions,
        }
        about = {"lisor": json.dumps({"schema": SCHEMA})}
        pq.write_table(pa.table(columns).replace_schema_metadata(about), folder / _FILE)

    @classmethod
    def read(cls, folder: Path) -> Embedding:
        """The embedding that `write` wrote into `folder`.

        Raises:
            SchemaError: it was written by another version."""
        table = pq.read_table(folder / _FILE)
        schema = json.loads(table.schema.metadata[b"lisor"])["schema"]
        if schema != SCHEMA:
            raise SchemaError(
                f"expected an embedding of schema {SCHEMA}, got {schema}; run the step again"
            )
        rows, x, y, predictions = (table[name].to_numpy() for name in ("row", "x", "y", "answer"))
        return cls(rows=rows, positions=np.column_stack([x, y]), predictions=predictions)


def project(
    model: Network,
    states: Float[np.ndarray, "P H"],
    given: Int[np.ndarray, " P"] | None = None,
    seed: int = 0,
) -> Embedding:
    """The embedding of a sample of the distinct hidden states.

    `given` are the network's predictions where they do not follow from the states.

    t-SNE (van der Maaten & Hinton, 2008) by scikit-learn, initialized with the two principal
    components."""
    rows = np.sort(np.unique(np.round(states, 5), axis=0, return_index=True)[1])
    if len(rows) > MAX_POINTS:
        rows = np.sort(stream(seed, "plane").choice(rows, MAX_POINTS, replace=False))
    shown = states[rows]
    if len(rows) < 4 or shown.shape[1] < 2:
        positions = np.zeros((len(rows), 2), np.float32)
        positions[:, : shown.shape[1]] = shown[:, :2]
    else:
        tsne = TSNE(
            perplexity=min(PERPLEXITY, (len(rows) - 1) / 3),
            init="pca",
            angle=ANGLE,
            max_iter=ITERATIONS,
            random_state=stream_seed(seed, "t-SNE"),
        )
        positions = tsne.fit_transform(shown.astype(np.float64))
    predictions = given[rows] if given is not None else _predicted(model, shown)
    return Embedding(
        rows=rows.astype(np.int64),
        positions=np.asarray(positions, np.float32),
        predictions=predictions,
    )


def _predicted(model: Network, states: Float[np.ndarray, "M H"]) -> Shaped[np.ndarray, " M"]:
    outputs = model.probabilities(states)
    if TARGETS[model.target].is_numeric:
        return np.asarray(outputs[:, 0])
    return np.asarray(outputs.argmax(axis=1), np.int32)
