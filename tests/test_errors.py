import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.errors import MAX_LINE, MAX_MESSAGE, DataError, LisorError, one_line, show

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(st.text(), st.integers(0, 2000))
def test_a_message_is_one_short_line_with_its_beginning_and_its_end(text: str, times: int) -> None:
    message = str(LisorError(f"expected a,\n got {text * times}; do c"))
    assert len(message) <= MAX_MESSAGE
    assert message.splitlines() == [message]
    assert message.startswith("expected a, got")
    assert message.endswith("; do c")


def test_a_message_that_is_short_stays_as_it_is() -> None:
    assert str(DataError("expected a, got b")) == "expected a, got b"
    assert one_line("x" * MAX_LINE) == "x" * MAX_LINE


def test_an_error_comes_whole_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(DataError("x" * 1000)))  # noqa: S301  # as a pool of processes hands it on
    assert (type(error), str(error)) == (DataError, str(DataError("x" * 1000)))


@given(values)
def test_any_value_can_be_shown(value: object) -> None:
    assert len(show(value)) < 2000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12, "12"),
        (True, "True"),
        (10**39, str(10**39)),
        (-(10**400), "a number of about 401 digits"),
        ([1 << 100_000], "[a number of about 30,104 digits]"),
        ("a" * 100, f"'{'a' * 27}...{'a' * 28}'"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, ...]"),
    ],
)
def test_a_value_is_shown_in_few_characters(value: object, shown: str) -> None:
    assert show(value) == shown


def test_a_value_that_repeats_itself_many_times_is_shown_at_once() -> None:
    value: list[object] = ["l"]
    for _ in range(30):
        value = [value] * 9
    assert len(show(value)) < 200
