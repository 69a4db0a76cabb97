"""An automaton as an MLflow model.

MLflow keeps a copy of this file with the model and runs it when the model is loaded: nothing is
unpickled. The server of the model must have lisor installed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from lisor.automata.formats.reading import read_automaton
from lisor.automata.prediction import predict
from lisor.errors import DataError, LisorError, show

MAX_ROWS = 10_000
"""The most sequences of a request."""

MAX_CHARACTERS = 10_000_000
"""The most characters of all sequences of a request together."""


class AutomatonModel(PythonModel):
    """The class (or that after each symbol), final state and path of each sequence in the column
    `text`, and of next symbols its log-probability and perplexity, as `lisor predict` prints
    them."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the automaton of the model."""
        self.automaton = read_automaton(Path(context.artifacts["automaton"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """A row for each sequence: class, state, path, and figures if there are any.

        Raises:
            MlflowException: the request is too large, or one of its rows is no sequence; the
                server's status is 400."""
        try:
            texts = _texts(model_input)
            return predict(self.automaton, self.automaton.alphabet.read(texts)).to_pandas()
        except LisorError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


def _texts(request: pd.DataFrame) -> list[str]:
    """The sequences of a request.

    Raises:
        DataError: there are too many, or one is no text."""
    if "text" not in request:
        raise DataError(f"expected the column 'text', got {show(list(request))}")
    texts: list[str] = request["text"].tolist()
    if len(texts) > MAX_ROWS:
        raise DataError(
            f"expected at most {MAX_ROWS:,} rows in a request, got {len(texts):,}; "
            "send them in parts"
        )
    odd = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
    if odd is not None:
        raise DataError(f"expected a text in row {odd + 1}, got {show(texts[odd])}")
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        raise DataError(
            f"expected at most {MAX_CHARACTERS:,} characters in a request, got {size:,}; "
            "send them in parts"
        )
    return texts


set_model(AutomatonModel())
