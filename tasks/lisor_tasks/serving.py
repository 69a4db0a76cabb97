"""The best automaton of each dataset of a run in MLflow's registry, ready for `mlflow models
serve`."""

from __future__ import annotations

import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException

from lisor.automata.automaton import Automaton
from lisor.automata.prediction import schema_of
from lisor.randomness import stream

CODE = Path(__file__).parent / "automaton_model.py"

ALIAS = "newest"
"""The alias of the version that the last run has registered."""


def best_networks(results: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset: its selected automaton with the highest fidelity on validation; of
    equals, that with the fewest states."""
    rows = results[results["selected"] & (results["test_set"] == "validation")]
    ordered = rows.sort_values(["fidelity", "n_states"], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates("dataset").sort_index()


def register_automaton(
    client: MlflowClient, name: str, automaton: Path, experiment: str, run: str
) -> None:
    """Log an automaton (JSON) as a model of a run, and register it as the newest version of a
    name."""
    with TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        # MLflow reads a path as a URI, in which some characters have a meaning
        _save(Path(shutil.copy(automaton, Path(folder) / "automaton.json")), model)
        logged = client.create_logged_model(
            experiment, name="automaton", source_run_id=run, model_type="automaton"
        )
        client.log_model_artifacts(logged.model_id, str(model))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(logged.model_id, step=0)])
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, logged.artifact_location, run_id=run, model_id=logged.model_id
    )
    client.set_registered_model_alias(name, ALIAS, made.version)


def _save(automaton: Path, folder: Path) -> None:
    """Write an MLflow model from code, with its signature and an example: words over the
    automaton's alphabet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow misses type hints; the signature has the types
        # not at the top: it takes seconds, and a run that MLflow already shows does not need it
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, DataType, Schema, TensorSpec
        from mlflow.types.schema import Array

        read = Automaton.from_json(automaton.read_text(encoding="utf-8"))
        types = {"string": DataType.string, "int32": DataType.integer, "double": DataType.double}
        outputs: list[ColSpec | TensorSpec] = [
            ColSpec(
                Array(types[str(field.type.value_type)])
                if pa.types.is_list(field.type)
                else types[str(field.type)],
                field.name,
            )
            for field in schema_of(read)
        ]
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(CODE),
            artifacts={"automaton": automaton.as_uri()},  # a path may hold a question mark
            signature=ModelSignature(
                inputs=Schema([ColSpec(DataType.string, "text")]), outputs=Schema(outputs)
            ),
            input_example=_example(read),
            pip_requirements=[f"lisor=={version('lisor')}", f"mlflow=={version('mlflow')}"],
        )


def _example(automaton: Automaton) -> pd.DataFrame:
    """Three sequences of five symbols, as texts that the automaton reads."""
    alphabet = automaton.alphabet
    numbers = stream(0, "example of a model").integers(0, len(alphabet), (3, 5))
    words = [alphabet.write(word.tolist()) for word in numbers]
    return pd.DataFrame({"text": words})
