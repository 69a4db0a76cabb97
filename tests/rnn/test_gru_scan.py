"""The GRU whose gradient is written out, beside the cell that autograd goes through step by step."""

import pytest
import torch

from lisor.rnn.cells import GRU
from lisor.rnn.classifier import stack_hidden
from lisor.rnn.gru_scan import scan

TRIALS, STEPS, BATCH, INPUTS, HIDDEN = 2, 5, 3, 4, 6


@pytest.fixture
def cell() -> GRU:
    return GRU(INPUTS, HIDDEN, [torch.Generator().manual_seed(seed) for seed in range(TRIALS)])


def one_by_one(cell: GRU, inputs: torch.Tensor) -> torch.Tensor:
    states = [cell.initial_state(BATCH)]
    for step in range(STEPS):
        states.append(cell.step(states[-1], cell.project(inputs[:, step])))
    return stack_hidden(states)


def test_states_and_gradients_are_those_of_the_steps(cell):
    inputs = torch.randn(TRIALS, STEPS, BATCH, INPUTS, generator=torch.Generator().manual_seed(3), requires_grad=True)
    factors = torch.randn(TRIALS, STEPS + 1, BATCH, HIDDEN, generator=torch.Generator().manual_seed(4))
    asked = [inputs, *cell.parameters()]
    found, expected = cell.hidden_states(inputs), one_by_one(cell, inputs)
    torch.testing.assert_close(found, expected)
    found, expected = (torch.autograd.grad((states * factors).sum(), asked) for states in (found, expected))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    random = torch.Generator().manual_seed(0)
    projected = torch.randn(STEPS, TRIALS, 3 * HIDDEN, BATCH, dtype=torch.float64, generator=random, requires_grad=True)
    weight = torch.randn(TRIALS, HIDDEN + 1, 3 * HIDDEN, dtype=torch.float64, generator=random, requires_grad=True)
    assert torch.autograd.gradcheck(scan, (projected, weight))
