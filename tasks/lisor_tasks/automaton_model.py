"""An automaton as an MLflow model.

MLflow keeps a copy of this file with the model and runs it when the model is loaded: nothing is unpickled. Where the
model is served, lisor must be installed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from lisor.fsa.formats.reading import read_automaton
from lisor.fsa.prediction import predict, reader


class AutomatonModel(PythonModel):
    """Class, final state and path of each sequence in the column `text`, as `lisor predict` has them."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the automaton that was kept with the model."""
        self.automaton = read_automaton(Path(context.artifacts["automaton"]))
        self.read = reader(self.automaton)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, object] | None = None
    ) -> pd.DataFrame:
        """A row for each sequence: class, state, path."""
        return predict(self.automaton, [self.read(text) for text in model_input["text"]]).to_pandas()


set_model(AutomatonModel())
