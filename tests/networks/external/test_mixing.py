"""The operator that a message names where outputs come from more than the last state."""

import pytest
import torch
from torch import nn

from lisor.errors import ModelError
from lisor.networks.external.adapt import adapt
from tests.networks.external.test_module import Acceptor, LooksBack


class ByHand(nn.Module):
    """A cell written out, whose own sums of the symbol and the state before are no fault, and whose
    states are asked by the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 4)
        self.read, self.recur, self.linear = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 1)

    def forward(self, symbols):
        state, states = torch.zeros(len(symbols), 6), []
        for vector in self.embedding(symbols).unbind(1):
            state = torch.tanh(self.read(vector) + self.recur(state))
            states.append(state)
        states = torch.stack(states, 1)
        weights = (states @ states[:, -1:].transpose(1, 2)).softmax(1)
        return self.linear((weights * states).sum(1))


class Checked(Acceptor):
    """Refuses NaN, by which the operator is found."""

    def forward(self, symbols):
        states = self.layer(self.embedding(symbols))[0]
        if states.isnan().any():
            raise ValueError("NaN")
        return self.linear(states.std(1, correction=0))


@pytest.mark.parametrize(("seed", "scale"), [(0, 0.5), (1, 1.0), (2, 2.0)])
@pytest.mark.parametrize(("kind", "operator"), [(LooksBack, "bmm"), (ByHand, "matmul")])
def test_the_operator_that_is_named_does_not_depend_on_the_weights(kind, operator, seed, scale):
    torch.manual_seed(seed)
    module = kind()
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(scale)
    with pytest.raises(ModelError, match=f"more than the last state: {operator} reads earlier st"):
        adapt(module, "01")


def test_a_module_that_refuses_nan_is_refused_without_the_operator():
    with pytest.raises(ModelError, match="come from more than the last state; if there is one"):
        adapt(Checked(), "01")
