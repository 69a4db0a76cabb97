import numpy as np
import pytest
import torch
from torch import nn

from lisor.errors import ModelError
from lisor.rnn.cells import CELLS, make_cell

R, B, T, D, H = 2, 3, 7, 5, 4
TORCH = {"srn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def generators(seeds=range(R)):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def random_cell(name: str) -> nn.Module:
    """A cell with every weight and bias drawn at random, different in each trial."""
    cell = make_cell(name, D, H, generators())
    generator = torch.Generator().manual_seed(7)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, generator=generator)
    return cell.requires_grad_(False)


def run(cell, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The states after each step, one tensor [R, T, B, H] for each part of the state."""
    state, states = cell.initial_state(B), []
    for step in range(T):
        state = cell.step(state, cell.project(inputs[:, step]))
        states.append(state)
    return tuple(torch.stack(part, dim=1) for part in zip(*states, strict=True))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(R, T, B, D, generator=torch.Generator().manual_seed(1))


def load_into(reference: nn.Module, cell, trial: int) -> None:
    """Give torch's layer the weights of one trial; its bias of the input is ours, that of the state the rest."""
    hidden_bias = torch.zeros_like(reference.bias_hh_l0)
    if isinstance(reference, nn.GRU):
        hidden_bias[2 * H :] = cell.candidate_bias[trial, 0]
    reference.load_state_dict(
        {
            "weight_ih_l0": cell.input_weight[trial].T,
            "weight_hh_l0": cell.hidden_weight[trial].T,
            "bias_ih_l0": cell.bias[trial, 0],
            "bias_hh_l0": hidden_bias,
        }
    )


@pytest.mark.parametrize("name", TORCH)
def test_a_cell_agrees_with_torch_given_the_same_weights(name, inputs):
    cell = random_cell(name)
    states = run(cell, inputs)
    reference = TORCH[name](D, H)
    for trial in range(R):
        load_into(reference, cell, trial)
        outputs, last = reference(inputs[trial])
        torch.testing.assert_close(states[0][trial], outputs, atol=1e-6, rtol=0)
        if name == "lstm":
            torch.testing.assert_close(states[1][trial, -1], last[1][0], atol=1e-6, rtol=0)


def test_mgu_agrees_with_its_equations(inputs):
    cell = random_cell("mgu")
    (states,) = run(cell, inputs)
    for trial in range(R):
        W_f, W = np.split(cell.input_weight[trial].double().numpy(), 2, axis=1)
        b_f, b = np.split(cell.bias[trial, 0].double().numpy(), 2)
        U_f, U = cell.forget_weight[trial].double().numpy(), cell.candidate_weight[trial].double().numpy()
        h = np.zeros((B, H))
        for step in range(T):
            x = inputs[trial, step].double().numpy()
            f = 1 / (1 + np.exp(-(x @ W_f + h @ U_f + b_f)))
            candidate = np.tanh(x @ W + (f * h) @ U + b)
            h = (1 - f) * h + f * candidate
            np.testing.assert_allclose(states[trial, step].numpy(), h, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_each_trial_is_the_cell_drawn_from_its_seed_alone(name):
    stack = make_cell(name, D, H, generators([3, 5])).state_dict()
    for trial, seed in enumerate([3, 5]):
        alone = make_cell(name, D, H, generators([seed])).state_dict()
        for key, value in alone.items():
            assert torch.equal(stack[key][trial], value[0])


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_weights_begin_orthogonal(name):
    for key, value in make_cell(name, D, H, generators()).named_parameters():
        if key in ("hidden_weight", "forget_weight", "candidate_weight"):
            for block in value.detach().split(H, dim=2):
                torch.testing.assert_close(block @ block.transpose(1, 2), torch.eye(H).expand(R, H, H))


def test_the_forget_gate_of_an_lstm_begins_open():
    bias = make_cell("lstm", D, H, generators()).bias.detach()
    assert torch.equal(bias, torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(H).expand(R, 1, 4 * H))


def test_cells_have_from_no_gate_to_three():
    assert [len(make_cell(name, D, H, generators()).gates) for name in CELLS] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", CELLS)
def test_the_initial_state_is_zero(name):
    state = make_cell(name, D, H, generators()).initial_state(B)
    assert len(state) == (2 if name == "lstm" else 1)
    for part in state:
        assert torch.equal(part, torch.zeros(R, B, H))


def test_an_unknown_cell_is_refused():
    with pytest.raises(ModelError, match="srn, mgu, gru, lstm, got 'transformer'"):
        make_cell("transformer", D, H, generators())
