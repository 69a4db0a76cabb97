import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from lisor_tasks.artifacts import Awaited, Ref, Source, Store
from lisor_tasks.keys import leaves
from lisor_tasks.provenance import PARTS, Difference, Provenance, Provenances, stages_before

values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=3)
)
names = st.text("abc.", min_size=1, max_size=3)
digests = st.sampled_from(["1", "2"])
provenances = st.builds(
    Provenance,
    step=st.just("train"),
    settings=st.dictionaries(names, values, max_size=3),
    inputs=st.dictionaries(names, digests, max_size=3),
    code=st.dictionaries(names, digests, max_size=3),
    versions=st.dictionaries(names, digests, max_size=3),
)


def provenance(**arguments: Any) -> Provenance:
    return Provenance.of("train", dict(leaves(arguments)), {"lisor.a.f": "1"}, {"torch": "2"})


def kept(tmp_path: Path, *made: Provenance | None) -> Provenances:
    """A store that holds an artifact of each provenance, the last made last."""
    store = Store(tmp_path)
    for number, one in enumerate(made):
        store.build(
            "model", [str(number)], lambda folders: None, None if one is None else one.to_json()
        )
    return Provenances(store, "model")


def test_settings_and_inputs_are_named_by_where_they_stand() -> None:
    made = provenance(
        settings=TrainingSettings(seed=7),
        ks=(2, 3),
        data=Ref("dataset", "key", "abc"),
        networks=[{"model": Ref("model", "key", "def"), "trial": 0}],
        file=Source("a.csv", "ghi"),
        annotations=None,
    )
    assert made.settings["settings.seed"] == 7
    assert made.settings["ks"] == [2, 3]
    assert made.settings["networks.0.trial"] == 0
    assert not {"annotations", "settings.trials"} & set(made.settings)
    assert made.inputs == {"data": "abc", "networks.0.model": "def", "file": "ghi"}


@given(provenances)
def test_a_provenance_is_read_as_it_was_written(made: Provenance) -> None:
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made


@given(provenances, provenances)
def test_provenances_differ_by_what_has_to_change_to_make_one_the_other(
    older: Provenance, newer: Provenance
) -> None:
    differences = newer.differences(older)
    assert newer.distance(older) == older.distance(newer) == len(differences)
    assert (not differences) == (older == newer)
    changed = {part: dict(getattr(older, part)) for part in PARTS}
    for part, name, was, now in differences:
        assert (was is None) == (name not in changed[part])
        if now is None:
            del changed[part][name]
        else:
            changed[part][name] = json.loads(now)
    assert replace(older, **changed) == newer


def test_settings_that_are_read_back_as_lists_are_no_difference() -> None:
    made = provenance(ks=(2, 3), models=ModelsSettings())
    assert provenance(ks=(2, 3), models=ModelsSettings()).differences(made) == []
    assert provenance(ks=[2, 3], models=ModelsSettings()).differences(made) == []


def test_an_input_that_is_not_there_yet_makes_no_difference() -> None:
    waiting = Awaited("model", "", "", frozenset({"train"}))
    made = provenance(model=Ref("model", "key", "abc"), seed=0)
    assert provenance(model=waiting, seed=0).differences(made) == []
    assert provenance(model=waiting, seed=1).differences(made) == [
        Difference("settings", "seed", "0", "1")
    ]
    assert (
        provenance(model=waiting, seed=0).differences(
            provenance(model="what another input says", seed=0)
        )
        == []
    )


def test_a_step_waits_for_every_stage_that_one_of_its_inputs_waits_for() -> None:
    train, dump = (Awaited("kind", "", "", frozenset({stage})) for stage in ("train", "dump"))
    assert stages_before({"model": train, "networks": ((dump, None),)}) == {"train", "dump"}
    assert stages_before({"model": Ref("model", "key", "abc"), "k": 3}) == frozenset()


def test_the_nearest_provenance_differs_in_the_fewest_things(tmp_path: Path) -> None:
    near, far = provenance(cell="gru", seed=1, size=3), provenance(cell="lstm", seed=2, size=3)
    assert kept(tmp_path, near, far).nearest(provenance(cell="gru", seed=1, size=4)) == near
    assert kept(tmp_path, near, far).nearest(provenance(cell="lstm", seed=2, size=4)) == far


def test_of_two_that_are_as_near_the_newest_is_nearest(tmp_path: Path) -> None:
    made = [provenance(seed=seed) for seed in (1, 2, 3)]
    assert kept(tmp_path, *made).nearest(provenance(seed=4)) == made[-1]


def test_another_step_of_the_same_kind_is_not_near(tmp_path: Path) -> None:
    assert (
        kept(tmp_path, replace(provenance(seed=1), step="learn")).nearest(provenance(seed=1))
        is None
    )


def test_artifacts_without_a_provenance_are_counted(tmp_path: Path) -> None:
    held = kept(tmp_path, None, provenance(seed=1), None)
    assert held.without == 2
    assert held.nearest(provenance(seed=1)) == provenance(seed=1)


def test_a_provenance_is_no_part_of_an_artifacts_digest(tmp_path: Path) -> None:
    def write(folders: list[Path]) -> None:
        (folders[0] / "file").write_text("words")

    store = Store(tmp_path)
    (plain,), (told,) = (
        store.build("kind", ["a"], write),
        store.build("kind", ["b"], write, provenance(seed=1).to_json()),
    )
    assert plain.sha256 == told.sha256
    assert store.open(plain)
    assert store.open(told)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    json_values
    | st.dictionaries(st.sampled_from(["schema", "step", *PARTS]), json_values | st.just(1))
)
def test_whatever_stands_for_a_provenance_is_read_or_passed_over(value: object) -> None:
    found = Provenance.from_json(value)
    assert found is None or found.differences(found) == []


@pytest.mark.parametrize("manifest", ["", "[]", "3", '{"provenance": 3}', "\xff"])
def test_a_damaged_manifest_is_no_recipe(tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "store/model/key"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest, encoding="latin-1")
    assert Provenances(Store(tmp_path), "model").nearest(provenance(seed=1)) is None
