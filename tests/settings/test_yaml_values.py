import math
from typing import Any

import pytest

from lisor.settings.yaml_values import MAX_CHARACTERS, MAX_VALUES, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 10", 10),
        ("a: -3", -3),
        ("a: 0", 0),
        ("a: 1.5", 1.5),
        ("a: 1e-3", 0.001),
        ("a: .inf", math.inf),
        ("a: true", True),
        ("a: False", False),
        ("a: null", None),
        ("a:", None),
        ("a: '010'", "010"),
        ('a: "no"', "no"),
        ("a: gru", "gru"),
        ("a: 1-2", "1-2"),
        ("a: [2, 32]", [2, 32]),
        ("x: &x {b: 1, c: 2}\na: {<<: *x, c: 3}", {"b": 1, "c": 3}),
    ],
)
def test_a_plain_value_is_what_it_looks_like(text: str, value: Any) -> None:
    found = read(text)["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        "010",
        "000",
        "0o10",
        "0x10",
        "0b1",
        "1:30",
        "1_000",
        "yes",
        "No",
        "ON",
        "off",
        "2020-01-01",
        "2020-1-1 1:2:3",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"line 2: {text} is read as .* put a text in quotes"):
        read(f"a: 1\nb: {text}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 1", "line 3: 'a' is there twice"),
        ("a: {b: 1, b: 2}", "line 1: 'b' is there twice"),
        ("1: 2", "expected the name of a setting, got 1"),
        ("true: 2", "expected the name of a setting, got true"),
        ("on: 2", "expected the name of a setting, got on"),
        ("null: 2", "expected the name of a setting, got null"),
        ("? [a]\n: 1", "expected the name of a setting, got a list or mapping"),
        ("a: [", "expected the node content"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: " + "9" * 5000, "4300 digits"),
        ("[" * 5000, "nested too deeply"),
        ("&a [*a]", "an alias stands for what it is inside of"),
        ("&a {b: *a}", "an alias stands for what it is inside of"),
        ("x" * (MAX_CHARACTERS + 1), "at most 500,000 characters"),
        ("[" + "1," * MAX_VALUES + "]", "at most 50,000 values"),
    ],
)
def test_what_is_no_plain_value_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)


@pytest.mark.parametrize("pattern", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_cannot_multiply(pattern: str) -> None:
    lines = ["a0: &a0 {l: 1}"]
    lines += [f"a{i}: &a{i} {pattern.format(', '.join([f'*a{i - 1}'] * 9))}" for i in range(1, 9)]
    with pytest.raises(ValueError, match="aliases repeat values until there are more than 50,000"):
        read("\n".join(lines))
