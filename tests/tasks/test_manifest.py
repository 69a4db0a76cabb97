import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor_tasks.manifest import Manifest

MANIFEST = Manifest(
    kind="model",
    key="ab",
    files={"a/b": "12", "c": "34"},
    seconds=1.5,
    provenance={"step": "train"},
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.parse(MANIFEST.to_json(), "model", "ab") == MANIFEST


@pytest.mark.parametrize("field", json.loads(MANIFEST.to_json()))
def test_a_manifest_that_lacks_a_field_is_damaged(field: str) -> None:
    fields = json.loads(MANIFEST.to_json())
    del fields[field]
    assert Manifest.parse(json.dumps(fields), "model", "ab") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seconds", 2.5),
        ("provenance", {"step": "dump"}),
        ("provenance", None),
        ("schema", 1),
        ("files", {}),
        ("more", 1),
    ],
)
def test_a_field_that_was_altered_is_damage(field: str, value: object) -> None:
    fields = json.loads(MANIFEST.to_json()) | {field: value}
    assert Manifest.parse(json.dumps(fields), "model", "ab") is None


@pytest.mark.parametrize(("kind", "key"), [("model", "abc"), ("dataset", "ab")])
def test_the_manifest_of_another_artifact_is_none(kind: str, key: str) -> None:
    assert Manifest.parse(MANIFEST.to_json(), kind, key) is None


@pytest.mark.parametrize("name", ["..", "a/../b", "/a", "", "a//b", "manifest.json", "a\\b"])
def test_no_file_lies_outside_the_folder(name: str) -> None:
    text = Manifest(kind="model", key="ab", files={name: "12"}, seconds=0.0).to_json()
    assert Manifest.parse(text, "model", "ab") is None


@given(
    st.binary(max_size=50)
    | st.recursive(st.none() | st.integers(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_stands_there_is_damage_and_no_exception(text: bytes) -> None:
    assert Manifest.parse(text, "model", "ab") is None


def test_how_long_it_took_is_no_part_of_the_content() -> None:
    slow = Manifest(kind="model", key="ab", files=MANIFEST.files, seconds=9.0)
    assert slow.sha256 == MANIFEST.sha256
