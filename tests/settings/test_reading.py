import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.languages import LANGUAGES
from lisor.errors import ConfigError
from lisor.registry import KINDS, METHODS, RULES
from lisor.settings import language
from lisor.settings.dataset import DATASETS
from lisor.settings.experiment import Experiment
from lisor.settings.file_names import safe_name
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from lisor.settings.places import settings_by_key
from lisor.settings.reading import load, override
from lisor.settings.symbols import SymbolsSettings
from lisor.settings.text import TextSettings

ROOT = Path(__file__).parent.parent.parent
PLAIN: dict[str, Any] = {"name": "x", "datasets": [{"language": "000"}]}


def read(values: dict[str, Any], *overrides: str) -> Experiment:
    return Experiment(**override(values, overrides))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_config_of_the_repository_is_valid(path: Path) -> None:
    assert Experiment(**load(path)).name == path.stem


def test_a_data_set_overrides_the_common_sections_for_itself() -> None:
    values = {
        "name": "x",
        "datasets": [{"language": "000"}, {"language": "0110", "training": {"trials": 7}}],
        "training": {"trials": 2, "max_epochs": 9},
    }
    first, second = read(values).studies
    assert (first.training.trials, second.training.trials) == (2, 7)
    assert first.training.max_epochs == second.training.max_epochs == 9


def test_an_override_beats_what_a_data_set_overrides() -> None:
    values = {"name": "x", "datasets": [{"language": "000", "training": {"trials": 7}}]}
    assert read(values, "training.trials=5").studies[0].training.trials == 5


def test_naming_a_data_set_replaces_those_of_the_config() -> None:
    values = {
        **PLAIN,
        "datasets": [{"language": "000"}, {"language": "0110", "models": {"hidden_size": 4}}],
    }
    (study,) = read(values, "dataset.train=7", "dataset.text=some/reviews.csv").studies
    assert study.dataset.text == "some/reviews.csv"
    assert study.dataset.train == 7
    assert study.models.hidden_size == 10


def test_datasets_that_read_one_file_keep_their_other_settings() -> None:
    one = {"series": "a.csv", "window": 3}
    values = {**PLAIN, "datasets": [one, {**one, "folds": 2, "groups": "speaker"}]}
    studies = read(values, "dataset.series=b.csv").studies
    assert [study.dataset.series for study in studies] == ["b.csv"] * 3
    assert [study.dataset.window for study in studies] == [3, 3, 3]
    values["datasets"][1]["series"] = "c.csv"
    (study,) = read(values, "dataset.series=b.csv").studies
    assert study.dataset.window == 1


def test_a_text_field_takes_the_value_as_it_stands() -> None:
    assert read(PLAIN, "dataset.language=000").studies[0].dataset.language == "000"


def test_an_expression_is_taken_as_it_stands() -> None:
    (study,) = read(
        PLAIN, "dataset.language=regex:(a|b)*a{2,3}=: [b]", "dataset.alphabet=01"
    ).studies
    assert study.dataset.language == "regex:(a|b)*a{2,3}=: [b]"
    assert study.dataset.alphabet == "01"


def test_other_dataset_keys_apply_to_every_data_set() -> None:
    values = {**PLAIN, "datasets": [{"language": "000"}, {"language": "0110", "train": 3}]}
    assert [study.dataset.train for study in read(values, "dataset.train=50").studies] == [50, 50]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.trails=3", "'training.trials'"),
        ("trainin.trials=3", "'training.trials'"),
        ("dataset.languag=000", "'dataset.language'"),
        ("nonsense=1", "unknown setting 'nonsense'"),
        ("datasets=[{language: '000'}]", "one setting, such as dataset.seed=…"),
        ("dataset=reviews.csv", "one setting, such as dataset.seed=…"),
        ("dataset.windw=7", "nearest known one is 'dataset.train'"),
        ("clustering={k: [2, 9]}", "one setting, such as clustering.methods=…"),
        ("extraction.search_seconds=30", "set extraction.search_steps"),
        ("extraction.baseline_seconds=60", "set extraction.baseline_steps"),
        ("extraction.baseline_steps=0", "at least 1"),
        (
            "extraction.most_states=2",
            "at least 3, the states of the smallest automaton by the rules majority",
        ),
        ("training.trials=0", "at least 1"),
        ("training.trials=many", "takes a whole number, for example 3; got 'many'"),
        ("training.learning_rate=-1", "above 0"),
        ("training.learning_rate=.nan", "above 0"),
        ("training.dropout=1", "at least 0 and below 1, got 1"),
        ("training.dropout=-0.1", "at least 0 and below 1, got -0.1"),
        ("training.dropout=.nan", "at least 0 and below 1"),
        ("training.device=tpu", "one of auto"),
        ("models.cells=[gru, grus]", "did you mean 'gru'"),
        ("models.cells=[]", "one or more"),
        ("models.cells=gru", r"a list of names, for example \[srn, mgu, gru, lstm\]; got 'gru'"),
        ("models.hidden_size=1.5", "takes a whole number, for example 10; got 1.5"),
        ("clustering.k=[1, 4]", "2 ≤ from ≤ to"),
        ("clustering.k=[8, 4]", "2 ≤ from ≤ to"),
        ("clustering.k=7", r"clustering.k takes \[from, to\], for example \[2, 32\]; got 7"),
        ("clustering.k=[2]", r"takes \[from, to\], for example \[2, 32\]; got \[2\]"),
        ("clustering.k=[2, 3, 4]", r"takes \[from, to\], .*; got \[2, 3, 4\]"),
        ("clustering.k=[2, '3']", r"takes \[from, to\], .*; got \[2, '3'\]"),
        ("dataset.balanced=3", "takes true or false; got 3"),
        ("clustering.position_weight=-1", "at least 0"),
        ("clustering.decision_weight=-1", "clustering.decision_weight must be at least 0, got -1"),
        ("clustering.decision_weight=.nan", "at least 0"),
        ("clustering.decision_weight=.inf", "at least 0"),
        ("clustering.decision_weight=heavy", "number"),
        ("clustering.methods=[kmeans-y]", "did you mean 'kmeans-x'"),
        ("clustering.methods=[decision]", "did you mean 'decision-aware'"),
        ("extraction.rules=[dynamic]", "did you mean 'dynamics'"),
        ("extraction.rules=[]", "one or more"),
        ("extraction.rules=[weighted, weighted]", "different names"),
        ("extraction.unseen=sink", "reject"),
        ("dataset.language=001", "one of 000"),
        ("dataset.language=tomita-8", "did you mean 'tomita-"),
        ("dataset.language=regexp:0*", "did you mean 'regex:…'"),
        ("dataset.alphabet=ab", "dataset.alphabet is for regex:, not for language"),
        ("dataset.max_length=0", "at least 1"),
        ("dataset.vectors=glove.txt", "for text"),
        ("threads=0", "at least 1"),
        ("name=a/b", "letters"),
        ("training.trials", "KEY=VALUE"),
        ("clustering.k=[1, ", "YAML"),
    ],
)
def test_a_wrong_setting_says_what_was_expected(override: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(PLAIN, override)


def test_an_override_reaches_the_datasets_that_can_take_it() -> None:
    datasets = [{"language": "regex:0*1"}, {"text": "a.csv"}, {"symbols": "b.csv"}]
    values = {"name": "x", "datasets": datasets}
    read_as = [study.dataset for study in read(values, "dataset.max_length=5").studies]
    assert [getattr(dataset, "max_length", None) for dataset in read_as] == [5, 5, None]
    with pytest.raises(ConfigError, match=r"dataset\.window is for series"):
        read(values, "dataset.window=5")


def test_an_alphabet_reaches_the_expressions_alone() -> None:
    values = {"name": "x", "datasets": [{"language": "000"}, {"language": "regex:a*b"}]}
    one, other = (study.dataset for study in read(values, "dataset.alphabet=ab").studies)
    assert isinstance(one, LanguageSettings) and isinstance(other, LanguageSettings)
    assert (one.alphabet, other.alphabet) == ("01", "ab")


def test_no_rows_are_held_out_for_a_network_that_is_external() -> None:
    with pytest.raises(
        ConfigError, match=r"dataset\.held_out is for networks that are trained here"
    ):
        read(
            {
                "name": "x",
                "datasets": [{"symbols": "a.csv", "held_out": 0.3}],
                "models": {"build": "a:b"},
            }
        )


@pytest.mark.parametrize("name", ["order", "classes"])
@pytest.mark.parametrize("names", [["a"], ["a", "a"], []])
def test_names_of_symbols_and_classes_are_two_or_more_and_different(
    name: str, names: list[str]
) -> None:
    with pytest.raises(ConfigError, match=f"dataset.{name} must list two or more different names"):
        read({"name": "x", "datasets": [{"symbols": "a.csv", name: names}]})


@pytest.mark.parametrize(
    "key",
    [
        "training.trials",
        "dataset.train",
        "models.hidden_size",
        "clustering.k",
        "training.learning_rate",
        "threads",
    ],
)
@pytest.mark.parametrize(
    "value",
    [True, "3", 10**400, [[3]], None, 1 << 100_000],
    ids=["bool", "text", "400", "list", "null", "30000"],
)
def test_no_number_is_taken_from_what_is_none_or_too_large(key: str, value: Any) -> None:
    section, _, name = key.rpartition(".")
    number = [2, value] if name == "k" else value
    values: dict[str, Any] = {"name": "x", "datasets": [{"language": "000"}]}
    if section == "dataset":
        values["datasets"] = [{"language": "000", name: number}]
    else:
        values |= {section: {name: number}} if section else {name: number}
    if (key, value) in (
        ("dataset.train", None),
        ("models.hidden_size", 10**400),
        ("models.hidden_size", 1 << 100_000),
    ):
        return  # the one is not given, the others are too large for any machine: see test_footprint
    with pytest.raises(ConfigError) as refused:
        read(values)
    assert key in str(refused.value)
    assert len(str(refused.value)) < 200


def test_there_are_at_most_a_thousand_datasets() -> None:
    with pytest.raises(ConfigError, match="at most 1,000 datasets, got 1,001"):
        read(
            {
                "name": "x",
                "datasets": [{"language": f"regex:0{{{number % 200}}}"} for number in range(1001)],
            }
        )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"datasets": [{"language": "000"}]}, "name"),
        ({"name": "x"}, "at least one dataset"),
        ({"name": "x", "datasets": [{}]}, "either 'language' or 'text'"),
        ({"name": "x", "datasets": [{"language": "000", "text": "a.csv"}]}, "only one of them"),
        ({"name": "x", "datasets": [{"language": 0}]}, "quotes"),
        ({"name": "x", "datasets": "000"}, "list of mappings"),
        (
            {"name": "x", "datasets": [{"text": "a/r.csv"}, {"text": "b/r.csv"}]},
            "two datasets are called 'r'",
        ),
        ({**PLAIN, "training": 3}, "must be a mapping"),
        ({**PLAIN, "modles": {}}, "'models'"),
    ],
)
def test_settings_of_the_wrong_shape_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Experiment(**values)


@pytest.mark.parametrize(
    "content", ["", "- a\n- b\n", "a: [", "\x00", "name: !!python/object/apply:os.getcwd []"]
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        Experiment(**load(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load(tmp_path / "absent.yaml")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


KEYS = [key for key in settings_by_key(Experiment) if "." in key]
yaml_like = st.lists(
    st.sampled_from(
        [
            *"-:,#&*!|>?[]{}'\"%@ \n0179axe._",
            "\n  ",
            "!!int",
            "!!timestamp",
            "2020-13-45",
            "0b",
            "<<: ",
            *KEYS,
        ]
    )
).map("".join)


def read_or_refuse(make: Callable[[], dict[str, Any]]) -> None:
    """Read settings, whatever they hold: anything but an experiment or a ConfigError is a crash."""
    try:
        experiment = Experiment(**make())
    except ConfigError:
        return
    assert experiment.studies


@given(
    st.dictionaries(
        st.sampled_from(["name", "datasets", "models", "training", "clustering", "threads"]),
        json_values,
    )
)
def test_no_settings_raise_anything_but_a_config_error(values: dict[str, Any]) -> None:
    read_or_refuse(lambda: values)


@given(
    st.binary(max_size=100)
    | (st.text() | yaml_like).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_no_file_crashes_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    read_or_refuse(lambda: load(path))


@given(
    st.lists(
        st.builds("{}={}".format, st.sampled_from(KEYS) | st.text(), st.text() | yaml_like),
        max_size=3,
    )
)
def test_no_override_crashes_the_reader(overrides: list[str]) -> None:
    read_or_refuse(lambda: override(PLAIN, overrides))


@given(st.sampled_from(KEYS), json_values, st.booleans())
def test_no_value_of_a_setting_crashes_the_reader(key: str, value: Any, own: bool) -> None:
    section, name = key.split(".")
    dataset = {"language": "000"} | (
        {name: value} if section == "dataset" else {section: {name: value}} if own else {}
    )
    common = {} if own or section == "dataset" else {section: {name: value}}
    read_or_refuse(lambda: {"name": "x", "datasets": [dataset], **common})


def test_every_method_and_rule_may_be_asked_for_at_once() -> None:
    study = read(
        PLAIN,
        "clustering.methods=[kmeans, kmeans-x, decision-aware, sensitivity, predictive]",
        "extraction.rules=[majority, dynamics, dithered, weighted, merged, refined, distilled, "
        "queried, closed-loop]",
        "clustering.decision_weight=0",
    ).studies[0]
    assert (study.clustering.methods, study.extraction.rules) == (
        tuple(METHODS),
        tuple(rule for rule in RULES if not RULES[rule].reads_numbers),
    )
    assert study.clustering.decision_weight == 0


def test_the_names_that_settings_know_are_those_that_exist() -> None:
    assert set(language.LANGUAGES) == set(LANGUAGES)
    assert set(KINDS) == set(DATASETS)


def test_a_name_of_a_file_is_safe_as_a_name_of_files() -> None:
    assert TextSettings(text="../a b/<x>;y.parquet").name == "_x_y"
    assert LanguageSettings(language="automaton:../a b/<x>;y.json").name == "_x_y"
    assert TextSettings(text="donn\u00e9es #1?%20.csv").name == "données_1_20"
    assert TextSettings(text="donne\u0301es.csv").name == "données"  # as macOS writes it
    assert safe_name("\udcff") == "_"


@pytest.mark.parametrize("letter", ["a", "é", "实", "𠀀"])
def test_a_name_of_a_file_leaves_room_in_names_of_files(letter: str) -> None:
    models = ModelsSettings(build="networks:one", weights=f"{letter * 300}.pt")
    dataset = SymbolsSettings(symbols=f"{letter * 300}.csv")
    name = f"{dataset.name}-{models.names[0]}-0-decision-aware-distilled-k65536.json"
    assert len(name.encode()) <= 255
    assert set(dataset.name) == {letter}


@pytest.mark.parametrize("stem", ["Étude", "实验", "a b #1?%20"])
def test_a_file_of_any_name_gives_a_run_its_name(tmp_path: Path, stem: str) -> None:
    (tmp_path / f"{stem}.yaml").write_text('datasets: [{language: "000"}]')
    name = Experiment(**load(tmp_path / f"{stem}.yaml")).name
    assert name == {"a b #1?%20": "a_b_1_20"}.get(stem, stem)


@pytest.mark.parametrize("language", ["000", "0110", "tomita-7", "automaton:mine/my-words.dot"])
def test_a_language_has_one_name_in_files_and_in_results(language: str) -> None:
    dataset = LanguageSettings(language=language)
    assert (
        dataset.name
        == dataset.title
        == language.removeprefix("automaton:mine/").removesuffix(".dot")
    )


def test_an_expression_stands_in_results_as_it_was_given_and_has_a_short_name_in_files() -> None:
    one, other = (LanguageSettings(language=f"regex:(0|1)*/{end}") for end in ("../0", "../1"))
    assert one.title == "regex:(0|1)*/../0"
    assert re.fullmatch("regex-[0-9a-f]{8}", one.name)
    assert one.name == LanguageSettings(language=one.title).name != other.name


def test_two_data_sets_of_one_expression_could_not_be_told_apart() -> None:
    with pytest.raises(ConfigError, match="two datasets are called 'regex-"):
        Experiment(name="x", datasets=[{"language": "regex:0*"}, {"language": "regex:0*"}])
