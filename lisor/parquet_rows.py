"""Parquet files of few rows that may each be large: clusterings, automata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

GROUP_BYTES = 1 << 20
"""About so much is read at a time: large rows come one by one, small ones together."""


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a table in row groups of about `GROUP_BYTES`."""
    size = max(1, GROUP_BYTES * len(table) // max(1, table.nbytes))
    pq.write_table(table, path, compression="zstd", row_group_size=size)


def numbers(row: pa.Table, name: str) -> Shaped[np.ndarray, "..."]:
    """The list of numbers that a row has in the column `name`."""
    flat = row[name].combine_chunks().flatten()
    array: Shaped[np.ndarray, "..."] = flat.to_numpy(zero_copy_only=False)
    return array


def read_rows(file: pq.ParquetFile, wanted: Sequence[bool]) -> Iterator[pa.Table]:
    """The wanted rows, each as a table of its own, with one row group in memory at a time."""
    first = 0
    for group in range(file.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        if any(wanted[first:last]):
            table = file.read_row_group(group)
            rows = np.flatnonzero(wanted[first:last]).tolist()
            yield from (table.slice(row, 1) for row in rows)
        first = last
