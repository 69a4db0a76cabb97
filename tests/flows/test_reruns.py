"""Which steps run again after which edit of code or settings: a table, printed by `pytest -s`."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lisor_tasks.caching
from lisor import devices
from lisor.settings.experiment import Experiment
from lisor.settings.reading import override
from lisor_flows.pipeline import lisor_pipeline, plan_pipeline
from lisor_tasks.reach import CodeBase

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {"lisor": ROOT / "lisor", "lisor_tasks": ROOT / "tasks/lisor_tasks"}
STAGES = ("data", "train", "dump", "cluster", "extract", "search", "evaluate", "explain", "report")
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Edit:
    """Texts of a file replaced (old, new, old, new, …), a statement added to a function, or
    settings changed, and the stages in which something runs at once; what waits for these is not
    meant."""

    what: str
    runs: str
    file: str = ""
    texts: tuple[str, ...] = ()
    function: str = ""
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.what


READ_NETWORKS = "dump cluster extract search explain report"

EDITS = [
    # Code that changes what is made.
    Edit(
        "a language draws 100 training words, not 3,000",
        "data",
        settings=("dataset.train=100",),
    ),
    Edit(
        "words are drawn in another way",
        "data",
        "lisor/automata/sampling.py",
        function="sample_words",
    ),
    Edit(  # the alphabet cuts texts, and data sets, networks and automata carry one
        "texts are cut in another way",
        " ".join(STAGES),
        "lisor/tokenizer.py",
        function="tokenize",
    ),
    Edit(
        "the body of a task: making a dataset",
        "data",
        "lisor_tasks/data.py",
        ("vector_size=vector_size)", "vector_size=vector_size).symbols_alone()"),
    ),
    Edit(
        "when a network counts as solved",
        "train",
        "lisor/networks/training.py",
        ("SOLVED = ", "SOLVED = 2 * "),
    ),
    Edit(
        "a step of the cell gru",
        f"train {READ_NETWORKS}",
        "lisor/networks/cells/gru.py",
        ("class GRU(nn.Module):", "class GRU(nn.Module):\n    more = 1\n"),
    ),
    Edit(
        "how hidden states are dumped", "dump", "lisor/networks/hidden_states.py", function="dump"
    ),
    Edit(
        "HiddenStates.matrix, which clustering calls",
        "cluster extract search evaluate explain report",
        "lisor/networks/hidden_states.py",
        ("states[start : start + len(block)] = block", "states[start:][: len(block)] = block"),
    ),
    Edit(
        "TrainedModel.probabilities, which the embedding calls",
        f"train {READ_NETWORKS}",
        "lisor/networks/trained.py",
        function="probabilities",
    ),
    Edit(
        "the first centers of k-means",
        "cluster",
        "lisor/clustering/shrinking.py",
        function="shrink",
    ),
    Edit(
        "a compiled loop of k-means",
        "cluster",
        "lisor/clustering/kernels.py",
        function="_two_nearest",
    ),
    Edit(  # a method says how states are compared with the centers that it made
        "sensitivity",
        "cluster extract search",
        "lisor/clustering/features/sensitivity.py",
        function="sensitivity",
    ),
    Edit(
        "the number of an automaton's start",
        "extract search report",
        "lisor/extraction/transitions.py",
        ("START = 0", "START = 0 + 0"),
    ),
    Edit(
        "the body of a task: extracting automata, by rules that read off and that search",
        "extract search",
        "lisor_tasks/extraction.py",
        function="extract_automata",
    ),
    Edit(
        "how many words a refinement draws",
        "search",
        "lisor/extraction/rules/refined.py",
        ("PROBES = 500", "PROBES = 501"),
    ),
    Edit("what is evaluated", "evaluate", "lisor/evaluation/evaluation.py", function="evaluate"),
    Edit(
        "the tolerance of the choice",
        "report",
        "lisor/evaluation/choice.py",
        ("TOLERANCE = ", "TOLERANCE = 2 * "),
    ),
    Edit("attributions", "explain", "lisor/explain/gradients.py", function="attribute"),
    Edit("the embedding", "report", "lisor/report/embedding.py", function="project"),
    Edit(
        "a constant of the report's drawing",
        "report",
        "lisor/automata/drawing.py",
        ("LINE = 24", "LINE = 25"),
    ),
    # Code that changes nothing of what is made.
    Edit(
        "a comment, a docstring and line breaks",
        "",
        "lisor/extraction/transitions.py",
        ("START = 0", "START = (  # why\n    0\n)\n'Words.'"),
    ),
    Edit(
        "an annotation",
        "",
        "lisor/networks/training.py",
        ("-> list[TrainedModel]", "-> Sequence[TrainedModel]"),
    ),
    Edit(
        "the message of an error",
        "",
        "lisor/networks/cells/cell.py",
        ("expected one of the cells", "expected one of these cells"),
    ),
    Edit(
        "a new class of errors",
        "",
        "lisor/errors.py",
        ("class DataWarning", "class NewError(LisorError): ...\n\n\nclass DataWarning"),
    ),
    Edit(
        "a constant of the drawing for JFLAP",
        "",
        "lisor/automata/formats/jflap.py",
        ("_DISTANCE = 60", "_DISTANCE = 70"),
    ),
    Edit(
        "one more cell",
        "",
        "lisor/registry.py",
        ('        "srn":', '        "new": "lisor.networks.cells.srn:SRN",\n        "srn":'),
    ),
    Edit(
        "a new setting that is off",
        "",
        "lisor/settings/training.py",
        ("    patience: int", "    new: bool = False\n    patience: int"),
    ),
    Edit(
        "a new setting at its neutral value",
        "",
        "lisor/settings/training.py",
        (
            "    patience: int",
            "    new: Annotated[int, Keyed(neutral=1)] = 1\n    patience: int",
        ),
    ),
    Edit(
        "the bounds of a setting",
        "",
        "lisor/settings/text.py",
        ("MAX_LENGTH = 1_000_000", "MAX_LENGTH = 1_000"),
    ),
    Edit("the store", "", "lisor_tasks/artifacts.py", function="build"),
    Edit("how tasks are cached", "", "lisor_tasks/caching.py", function="_make_task"),
    Edit(
        "how progress is logged",
        "",
        "lisor_tasks/execution.py",
        ("LOG_SECONDS = 10.0", "LOG_SECONDS = 5.0"),
    ),
    Edit("what MLflow is shown", "", "lisor_tasks/tracking_run.py", function="log_run"),
    # Settings.
    Edit("threads 1 → 2", "", settings=("threads=2",)),
    Edit("runner threads → processes", "", settings=("runner=processes",)),
    Edit(
        "device auto → cpu, which it means here",
        "",
        settings=("training.device=cpu", "clustering.device=cpu"),
    ),
    Edit("what is usual, given", "", settings=("models.vector_size=50", "training.restarts=3")),
    Edit("a trial more", "train report", settings=("training.trials=2",)),
    Edit("another size of networks", "train", settings=("models.hidden_size=6",)),
    Edit("dropout", "train", settings=("training.dropout=0.1",)),
    Edit("another seed of clustering", "cluster search", settings=("clustering.seed=3",)),
    Edit("one rule more", "extract", settings=("extraction.rules=[majority,dynamics,refined]",)),
    Edit("another seed of explanations", "explain", settings=("explain.seed=3",)),
]


def with_statement(text: str, function: str) -> str:
    """A module's text with a statement more at the end of each function of a name."""
    tree = ast.parse(text)
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    assert found, function
    for node in found:
        node.body.insert(0, ast.parse("more = 0").body[0])
    return ast.unparse(tree)


@pytest.fixture(scope="module")
def various(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings of a run of a language and of texts by two methods and a search, explained, and
    its store."""
    folder = tmp_path_factory.mktemp("various")
    rows = {
        "text": ["a good film", "a bad film", "good and good", "bad and bad"] * 20,
        "label": ["pos", "neg"] * 40,
    }
    pd.DataFrame(rows).to_csv(folder / "texts.csv", index=False)
    sizes = {"train": 200, "validation": 60, "test": 40, "selection": 40, "max_length": 8}
    settings = {
        "name": "various",
        "datasets": [
            {"language": "000", **sizes},
            {"text": str(folder / "texts.csv"), "max_length": 8, "min_count": 1},
        ],
        "models": {"cells": ["gru"], "hidden_size": 5},
        "training": {"trials": 1, "max_epochs": 3, "learning_rate": 0.03},
        "clustering": {"methods": ["kmeans", "sensitivity"], "k": [2, 4]},
        "extraction": {"rules": ["majority", "refined"]},
        "explain": {"enabled": True, "examples": 2},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LISOR_HOME", str(folder / "store"))
        lisor_pipeline(settings)
    return {"settings": settings, "home": folder / "store"}


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """Lines of the table, printed when all edits were tried."""
    lines: list[str] = []
    yield lines
    print("", "| edit | runs at once |", "|---|---|", *lines, sep="\n")


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_makes_those_steps_run_whose_result_it_may_change_and_no_others(
    various: dict[str, Any],
    table: list[str],
    edit: Edit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LISOR_HOME", str(various["home"]))
    settings = various["settings"]
    if edit.settings:
        settings = override(settings, edit.settings)
    if edit.file:
        for name, folder in PACKAGES.items():
            shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        path = tmp_path / edit.file
        text = path.read_text()
        for old, new in zip(edit.texts[::2], edit.texts[1::2], strict=True):
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(with_statement(text, edit.function) if edit.function else text)
        monkeypatch.setattr(
            lisor_tasks.caching, "CODE", CodeBase({name: tmp_path / name for name in PACKAGES})
        )
    planned = plan_pipeline(Experiment(**settings)).tasks
    runs = [
        stage
        for stage in STAGES
        if any(task.stage == stage and task.fate == "run" for task in planned)
    ]
    table.append(f"| {edit} | {', '.join(runs) or 'nothing'} |")
    assert runs == edit.runs.split()


def test_the_device_that_auto_means_is_part_of_keys(
    various: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    monkeypatch.setenv("LISOR_HOME", str(various["home"]))
    monkeypatch.setattr(devices, "DRIVERS", (str(tmp_path),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    reasons = {
        task.reason
        for task in plan_pipeline(Experiment(**various["settings"])).tasks
        if task.fate == "run"
    }
    assert reasons == {"since training.device cpu → cuda", "since device cpu → cuda"}
