import numpy as np
import pytest

from lisor.errors import ModelError
from lisor.explain.attention import attention, attention_matrix
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.explain.conftest import values_of


def test_attention_is_an_attribution_whose_values_sum_to_one() -> None:
    model = random_network("attention-gru", symbols=3)
    words = Sequences.from_lists([[0, 1, 2, 2], [], [1]])
    found = attention(model, words)
    assert values_of(found, 0).sum() == pytest.approx(1)
    assert values_of(found, 1).size == 0
    assert values_of(found, 2).tolist() == [1]
    assert found.explained.tolist() == model.predict(words).argmax(axis=1).tolist()


def test_each_step_looks_back_with_weights_that_sum_to_one() -> None:
    matrix = attention_matrix(
        random_network("attention-recurrent", symbols=3), Sequences.from_lists([[0, 2, 1, 1]])
    )
    assert matrix.shape == (4, 4)
    np.testing.assert_allclose(matrix.sum(axis=1), [0, 1, 1, 1], atol=1e-6)
    assert (np.triu(matrix) == 0).all()


def test_a_network_that_does_not_look_back_says_so() -> None:
    with pytest.raises(ModelError, match="got gru"):
        attention_matrix(random_network("gru"), Sequences.from_lists([[0, 1]]))
