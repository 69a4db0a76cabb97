import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lisor.spreadsheets import harmless, harmless_column, original

TEXTS = st.text(st.sampled_from("'=+-@\t\r\n1.,e% aé")) | st.text(
    st.characters(exclude_categories=["Cs"])
)
FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "-",
    "+",
]
PLAIN = [
    "",
    "a=1",
    "-3",
    "+0.25",
    "-.5",
    "-1,234.5",
    "1e-3",
    "-12%",
    "−3",
    "'quoted'",
    "it's",
    " =1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


@given(TEXTS)
@example("'=1")
@example("''-3")
@example("'-3")
def test_every_text_is_read_back_from_its_cell(text: str) -> None:
    assert original(harmless(text)) == text


@given(st.lists(TEXTS))
def test_a_column_is_escaped_as_each_of_its_texts(texts: list[str]) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    assert harmless_column(column).to_pylist() == [harmless(text) for text in texts]
