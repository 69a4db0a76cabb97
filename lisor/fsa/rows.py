"""Parquet files of few rows that may each be large: clusterings, automata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_BYTES = 1 << 20
"""About so much is read at a time: large rows come one by one, small ones together."""


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a table in row groups of about `GROUP_BYTES`."""
    size = max(1, GROUP_BYTES * len(table) // max(1, table.nbytes))
    pq.write_table(table, path, compression="zstd", row_group_size=size)


def read_rows(file: pq.ParquetFile, wanted: Sequence[bool]) -> Iterator[pa.Table]:
    """The wanted rows, each as a table of its own, with one row group in memory at a time."""
    first = 0
    for group in range(file.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        places = [place for place, asked in enumerate(wanted[first:last]) if asked]
        if places:
            table = file.read_row_group(group)
            yield from (table.slice(place, 1) for place in places)
        first = last
