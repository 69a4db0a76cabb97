import json

import numpy as np
import pytest

from lisor.data.dataset import Dataset
from lisor.errors import SchemaError
from lisor.explain.examples import Example
from lisor.explain.explanation import Explanation, explain
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel


@pytest.fixture(scope="module")
def explanation(network: TrainedModel, dumped: HiddenStates, words: Dataset) -> Explanation:
    assert words.language is not None
    sequences = words.splits["test"].sequences
    examples = [
        Example(row=row, read=len(sequences[row]), kind=kind)
        for row, kind in ((3, "right"), (5, "uncertain"))
    ]
    return explain(
        network, words.language.automaton, words, dumped.read(), examples, {0: "state 1"}
    )


def test_a_network_that_has_learned_is_explained_by_what_decides(
    explanation: Explanation, network: TrainedModel, words: Dataset
) -> None:
    judged = {own.method: own for own in explanation.methods}
    assert set(judged) == {"saliency", "input-x-gradient", "integrated-gradients", "removal"}
    best = judged["integrated-gradients"]
    assert best.finds
    assert best.close is not None
    assert best.close >= 0.95
    assert judged["saliency"].close is None
    assert best.deletion[0] == pytest.approx(explanation.random_deletion[0])
    assert best.deletion[-1] == pytest.approx(explanation.random_deletion[-1])
    area = np.trapezoid(np.array(explanation.random_deletion) - np.array(best.deletion), dx=0.1)
    assert best.gain == pytest.approx(area, abs=1e-6)
    assert [(it.row, it.kind) for it in explanation.examples] == [(3, "right"), (5, "uncertain")]
    assert explanation.examples[0].steps.label == words.splits["test"].labels[3]
    assert explanation.units[0].verdict is not None
    assert judged["removal"].finds
    assert {it.name for it in explanation.parameters} == {*dict(network.network.named_parameters())}
    assert explanation.absent == ("Attention: gru does not weigh its steps by attention.",)


def test_what_is_written_is_read_again(explanation: Explanation) -> None:
    again = Explanation.from_json(explanation.to_json())
    assert again.to_json() == explanation.to_json()
    assert again.units == explanation.units


def test_an_explanation_of_another_version_is_refused(explanation: Explanation) -> None:
    about = json.loads(explanation.to_json()) | {"schema": 99}
    with pytest.raises(SchemaError, match="another version"):
        Explanation.from_json(json.dumps(about))
