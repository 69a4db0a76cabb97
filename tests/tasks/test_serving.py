"""Automata as MLflow models, with a real database."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from lisor_tasks.serving import ALIAS, best_networks, register_automaton
from mlflow import MlflowClient

from lisor.data.languages import LANGUAGES
from lisor.data.sequences import Sequences
from lisor.fsa.automaton import Automaton


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
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)  # a name is looked up in the process's own place
    model = mlflow.pyfunc.load_model(f"models:/test-000@{ALIAS}")
    words = ["", "0", "000", "10100", "1000111"]
    found = model.predict(pd.DataFrame({"text": words}))
    sequences = Sequences.from_lists([automaton.encode(word) for word in words])
    assert found["state"].tolist() == automaton.run(sequences).tolist()
    assert found["class"].tolist() == [automaton.classes[number] for number in automaton.classify(sequences)]
    assert [len(path) for path in found["path"]] == [len(word) + 1 for word in words]
    signature = model.metadata.signature
    assert (signature.inputs.input_names(), signature.outputs.input_names()) == (["text"], ["class", "state", "path"])


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
    assert best[["dataset", "cell", "trial"]].to_numpy().tolist() == [["000", "gru", 1], ["text", "gru", 0]]
