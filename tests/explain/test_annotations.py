from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.errors import DataError
from lisor.explain.annotations import judge, read
from lisor.explain.associations import Association


def association(kind: str, name: str, correlation: float, p_value: float) -> Association:
    return Association(
        kind=kind, name=name, correlation=correlation, effect=correlation, p_value=p_value
    )


KNOWN = {
    ("symbol", "bad"): association("symbol", "bad", 0.3, 0.002),
    ("symbol", "the"): association("symbol", "the", 0.01, 0.8),
    ("state", "3"): association("state", "3", -0.4, 0.002),
    ("class", "negative"): association("class", "negative", 0.6, 0.002),
}


def say(note: str) -> str:
    return judge(note, ("negative", "positive"), lambda kind, name: KNOWN.get((kind, name)))


def test_what_a_note_names_is_held_against_the_evidence() -> None:
    assert say('goes up on "bad"') == "“bad”: rises (r = +0.30, p = 0.002)"
    assert say("likes ‘the’") == "“the”: no evidence (p = 0.800)"
    assert say("off in state 3, on for Negative ones") == (
        "state 3: low (r = -0.40, p = 0.002); class negative: high (r = +0.60, p = 0.002)"
    )
    assert say('hears "waterlogged"') == "“waterlogged”: there is none"


def test_a_note_that_names_nothing_cannot_be_tested() -> None:
    assert "cannot be tested" in say("seems important to me")


def test_notes_are_read_by_unit(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text('unit,note\n3,"negation, ""not"""\n 0 , lengths\n', encoding="utf-8")
    assert read(file) == {3: 'negation, "not"', 0: "lengths"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "unit,remark\n1,a\n",
            "expected the columns 'unit' and 'note' in notes.csv, got 'unit', 'remark'",
        ),
        ("unit,note\none,a\n", "expected the number of a unit in notes.csv, from 0 up, got 'one'"),
        ("unit,note\n-1,a\n", "got '-1'"),
        ("unit,note\n1,a\n1,b\n", "unit 1 has two notes"),
        ("", "cannot be read"),
        ('unit,note\n1,"a\n', "cannot be read"),
    ],
)
def test_a_bad_file_of_notes_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=expected):
        read(file)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(DataError, match="cannot be read"):
        read(file)


note_like = st.lists(
    st.sampled_from(["unit", "note", ",", "\n", '"', "0", "-1", "٣", " ", "\0", "\r"])
).map("".join)


@given(
    st.binary(max_size=60)
    | note_like.map(str.encode)
    | note_like.map(lambda text: f"unit,note\n{text}".encode())
)
def test_no_bytes_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        notes = read(path)
    except DataError:
        return
    assert all(unit >= 0 for unit in notes)
