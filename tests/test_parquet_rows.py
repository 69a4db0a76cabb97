import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from lisor import parquet_rows
from lisor.parquet_rows import read_rows, write_rows


@given(data=st.data())
def test_wanted_rows_come_back_each_alone(data, tmp_path_factory):
    lists = data.draw(st.lists(st.lists(st.integers(0, 9), max_size=60), max_size=12))
    wanted = data.draw(st.lists(st.booleans(), min_size=len(lists), max_size=len(lists)))
    path = tmp_path_factory.mktemp("rows") / "table.parquet"
    write_rows(pa.table({"numbers": pa.array(lists, pa.list_(pa.int32()))}), path)
    found = [row["numbers"].to_pylist() for row in read_rows(pq.ParquetFile(path), wanted)]
    assert found == [[row] for row, asked in zip(lists, wanted, strict=True) if asked]


def test_large_rows_are_read_one_at_a_time_and_small_ones_together(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "GROUP_BYTES", 4000)
    for size, groups in ((1000, 6), (1, 1)):
        numbers = pa.array([[k] * size for k in range(6)], pa.list_(pa.int32()))
        write_rows(pa.table({"numbers": numbers}), tmp_path / "table.parquet")
        file = pq.ParquetFile(tmp_path / "table.parquet")
        assert file.num_row_groups == groups
        assert [row["numbers"].to_pylist()[0][0] for row in read_rows(file, [False, True] * 3)] == [
            1,
            3,
            5,
        ]
