"""Automata as MLflow models, with a real database."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModelContext

from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.sequences import Sequences
from lisor_tasks.automaton_model import MAX_ROWS, AutomatonModel
from lisor_tasks.serving import ALIAS, best_networks, register_automaton


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


def registered(client: MlflowClient, folder: Path, automaton: Automaton) -> None:
    experiment = client.create_experiment("test", artifact_location=(folder / "artifacts").as_uri())
    run = client.create_run(experiment)
    file = folder / "automaton.json"
    file.write_text(automaton.to_json(), encoding="utf-8")
    for _ in range(2):
        register_automaton(client, "test-000", file, experiment, run.info.run_id)


def test_a_registered_automaton_answers_as_it_runs(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    automaton = LANGUAGES["000"].automaton
    registered(client, tmp_path, automaton)
    assert client.get_model_version_by_alias("test-000", ALIAS).version == 2
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", client.tracking_uri
    )  # a name is looked up in the process's own place
    model = mlflow.pyfunc.load_model(f"models:/test-000@{ALIAS}")
    words = ["", "0", "000", "10100", "1000111"]
    found = model.predict(pd.DataFrame({"text": words}))
    sequences = Sequences.from_lists([automaton.encode(word) for word in words])
    assert found["state"].tolist() == automaton.run(sequences).tolist()
    assert found["class"].tolist() == [
        automaton.classes[number] for number in automaton.classify(sequences)
    ]
    assert [len(path) for path in found["path"]] == [len(word) + 1 for word in words]
    signature = model.metadata.signature
    assert (signature.inputs.input_names(), signature.outputs.input_names()) == (
        ["text"],
        ["class", "state", "path"],
    )


@pytest.fixture
def served(tmp_path: Path) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """What a served automaton makes of a request."""
    file = tmp_path / "automaton.json"
    file.write_text(LANGUAGES["000"].automaton.to_json(), encoding="utf-8")
    context = PythonModelContext(artifacts={"automaton": str(file)}, model_config={})
    model = AutomatonModel()
    model.load_context(context)
    return lambda request: model.predict(context, request)


REQUESTS: dict[str, tuple[dict[str, list[object]], str]] = {
    "too many rows": (
        {"text": ["0"] * (MAX_ROWS + 1)},
        "at most 10,000 rows in a request, got 10,001",
    ),
    "too many characters": (
        {"text": ["0" * 6_000_000] * 10},
        "at most 10,000,000 characters in a request, got 6",
    ),
    "no text": ({"text": ["0", 7]}, "expected a text in row 2, got 7"),
    "nothing": ({"text": ["0", None]}, "expected a text in row 2, got nan"),
    "no column": ({"txt": ["0"]}, "expected the column 'text', got ['txt']"),
    "a foreign symbol": ({"text": ["0", "02"]}, "got '2' in row 2"),
}


@pytest.mark.parametrize(("request_", "says"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_cannot_be_answered_is_the_fault_of_who_asks(
    served: Callable[[pd.DataFrame], pd.DataFrame], request_: dict[str, list[object]], says: str
) -> None:
    with pytest.raises(MlflowException) as refused:
        served(pd.DataFrame(request_))
    assert refused.value.get_http_status_code() == 400
    assert says in refused.value.message
    assert len(refused.value.message) < 300


def test_a_request_as_large_as_is_allowed_is_answered(
    served: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    assert len(served(pd.DataFrame({"text": ["0" * 100] * MAX_ROWS}))) == MAX_ROWS


def test_the_best_network_of_a_data_set_is_the_most_faithful_on_validation() -> None:
    rows = [
        ("000", "srn", 0, "validation", True, 0.9, 5),
        ("000", "gru", 0, "validation", True, 1.0, 9),
        ("000", "gru", 1, "validation", True, 1.0, 7),
        ("000", "gru", 2, "validation", False, 1.0, 3),
        ("000", "srn", 1, "test", True, 1.0, 2),
        ("text", "gru", 0, "validation", True, 0.8, 4),
    ]
    names = ["dataset", "cell", "trial", "test_set", "selected", "fidelity", "n_states"]
    best = best_networks(pd.DataFrame(rows, columns=names))
    assert best[["dataset", "cell", "trial"]].to_numpy().tolist() == [
        ["000", "gru", 1],
        ["text", "gru", 0],
    ]
