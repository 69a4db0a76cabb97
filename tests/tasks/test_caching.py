import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lisor.settings.dataset import DatasetSettings
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from lisor.settings.text import TextSettings
from lisor.settings.training import TrainingSettings
from lisor_flows import task_stages
from lisor_tasks.artifacts import Ref, Source
from lisor_tasks.caching import CODE, CachedTask, load
from lisor_tasks.data import make_dataset
from lisor_tasks.keys import digest, leaves, library_version


def steps() -> list[CachedTask]:
    """Every cached task of the pipeline."""
    return [value for value in vars(task_stages).values() if isinstance(value, CachedTask)]


def key(*values: object) -> str:
    found = leaves({f"argument{i}": value for i, value in enumerate(values)})
    return digest(
        {name: leaf.sha256 if isinstance(leaf, Ref | Source) else leaf for name, leaf in found}
    )


def test_a_key_looks_at_the_content_of_inputs_not_at_their_place() -> None:
    assert key(Ref("kind", "key", "abc")) == key(Ref("kind", "other key", "abc"))
    assert key(Ref("kind", "key", "abc")) != key(Ref("kind", "key", "abd"))
    assert key(Source("a.csv", "abc")) == key(Source("b.csv", "abc"))


def test_a_key_looks_at_every_setting_that_says_what_is_made() -> None:
    assert key(TrainingSettings()) == key(TrainingSettings())
    assert key(TrainingSettings()) != key(TrainingSettings(seed=1))
    assert key(TrainingSettings(dropout=0.0)) != key(TrainingSettings(dropout=0.1))
    assert key(ModelsSettings(hidden_size=3), 1) != key(ModelsSettings(hidden_size=3), 2)


def test_how_many_are_made_and_where_a_file_lies_is_no_part_of_a_key() -> None:
    assert key(TrainingSettings(trials=3)) == key(TrainingSettings(trials=5))
    assert key(ModelsSettings(cells=("gru",))) == key(ModelsSettings(cells=("lstm",)))
    assert key(TextSettings(text="a.csv")) == key(TextSettings(text="b.csv"))


def test_settings_are_resolved_before_they_become_a_key() -> None:
    assert dict(leaves(LanguageSettings(language="000"), "settings"))["settings.train"] == 3000
    assert key(LanguageSettings(language="000")) == key(
        LanguageSettings(language="000", train=3000, max_length=20)
    )


@pytest.mark.parametrize("settings", [LanguageSettings(language="000"), TextSettings(text="a.csv")])
def test_how_settings_are_checked_is_no_part_of_a_key(settings: DatasetSettings) -> None:
    call = {"kind": settings.KIND, "settings": settings, "files": {}, "vector_size": None}
    reached = make_dataset.step.reached(call).definitions
    checking = {name for name in reached if name.startswith("lisor.settings.base.")}
    assert checking <= {"lisor.settings.base.Settings.replace"}  # as texts are called
    assert "lisor.settings.dataset.SplitSettings.sizes" in reached or settings.KIND != "text"
    assert not {name for name in reached if name.endswith(("TextSettings", "LanguageSettings"))}


def test_zero_is_not_off() -> None:
    assert dict(leaves({"a": 0, "b": 0.0, "c": "", "d": False, "e": None, "f": (), "g": []})) == {
        "a": 0,
        "b": 0.0,
        "c": "",
    }


def test_there_are_steps_to_follow() -> None:
    assert len(steps()) >= 10


@pytest.mark.parametrize("task", steps(), ids=lambda task: task.name)
def test_the_body_of_every_step_is_followed_to_its_end(task: CachedTask) -> None:
    reached = CODE.reach(task.step.function)
    assert task.step.function in reached.definitions
    assert reached.unfollowed <= {
        "lisor.networks.external.builds.load"
    }  # which imports the user's module: its file is an input
    assert "prefect" not in reached.libraries


def test_a_clustering_reaches_the_feature_map_of_its_method_alone() -> None:
    function = "lisor_tasks.clustering.cluster_hidden_states"
    modules = {
        method: {
            name.split(".")[3]
            for name in CODE.reach(function, names=frozenset({method})).definitions
            if name.startswith("lisor.clustering.features.")
        }
        for method in ("kmeans", "decision-aware", "sensitivity")
    }
    assert modules == {
        "kmeans": {"kmeans"},
        "decision-aware": {"decision_aware"},
        "sensitivity": {"sensitivity"},
    }


def test_the_version_of_a_library_is_that_of_the_distribution_that_installs_it() -> None:
    from importlib.metadata import version

    assert library_version("sklearn") == version("scikit-learn")
    assert library_version("torch") == version("torch")
    assert library_version("yaml") == version("PyYAML")
    assert library_version("json") is None


def test_a_value_that_differs_between_processes_cannot_be_part_of_a_key() -> None:
    with pytest.raises(TypeError, match="cannot be part of a key"):
        key({1, 2})


def test_threads_load_modules_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["slow_module_1", "slow_module_2"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(
            "import time\nbegun = time.monotonic()\ntime.sleep(0.1)\ndone = time.monotonic()\n"
        )
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(load, names))
    first, second = sorted((sys.modules[name] for name in names), key=lambda module: module.begun)
    assert first.done <= second.begun
