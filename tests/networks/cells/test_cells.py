import numpy as np
import pytest
import torch
from torch import nn

from lisor.errors import ModelError
from lisor.networks.cells.cell import make_cell
from lisor.registry import CELLS
from tests.strategies import WITH_CELL_STATE

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
    """Give torch's layer the weights of one trial; its bias of the input is ours, that of the state
    the rest."""
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


# The equations of each cell, written out: the state after a step and the gates in it, by the input
# and the state before

Arrays = tuple[np.ndarray, ...]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def numbers(parameter: torch.Tensor, trial: int, blocks: int = 1) -> list[np.ndarray]:
    """The blocks of one trial's matrix or bias, which stand side by side."""
    return np.split(parameter[trial].double().numpy(), blocks, axis=1)


def mgu(cell, trial: int, x: np.ndarray, state: Arrays) -> tuple[Arrays, Arrays]:
    (h,), (W_f, W), (b_f, b) = (
        state,
        numbers(cell.input_weight, trial, 2),
        numbers(cell.bias, trial, 2),
    )
    (U_f,), (U,) = numbers(cell.forget_weight, trial), numbers(cell.candidate_weight, trial)
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    candidate = np.tanh(x @ W + (f * h) @ U + b)
    return ((1 - f) * h + f * candidate,), (f,)


def gru(cell, trial: int, x: np.ndarray, state: Arrays) -> tuple[Arrays, Arrays]:
    (h,), (W_r, W_z, W_n), (b_r, b_z, b_n) = (
        state,
        numbers(cell.input_weight, trial, 3),
        numbers(cell.bias, trial, 3),
    )
    (U_r, U_z, U_n), (c_n,) = (
        numbers(cell.hidden_weight, trial, 3),
        numbers(cell.candidate_bias, trial),
    )
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    candidate = np.tanh(x @ W_n + b_n + r * (h @ U_n + c_n))
    return ((1 - z) * candidate + z * h,), (r, z)


def lstm(cell, trial: int, x: np.ndarray, state: Arrays) -> tuple[Arrays, Arrays]:
    (h, c), (W_i, W_f, W_g, W_o) = state, numbers(cell.input_weight, trial, 4)
    (U_i, U_f, U_g, U_o), (b_i, b_f, b_g, b_o) = (
        numbers(cell.hidden_weight, trial, 4),
        numbers(cell.bias, trial, 4),
    )
    i, f, o = (
        sigmoid(x @ W + h @ U + b)
        for W, U, b in [(W_i, U_i, b_i), (W_f, U_f, b_f), (W_o, U_o, b_o)]
    )
    c = f * c + i * np.tanh(x @ W_g + h @ U_g + b_g)
    return (o * np.tanh(c), c), (i, f, o)


def mingru(cell, trial: int, x: np.ndarray, state: Arrays) -> tuple[Arrays, Arrays]:
    """h_t = (1 − z_t)⊙h_(t−1) + z_t⊙h̃_t in each layer; the upper one reads the h_t of the lower
    one."""
    after, gates = [], []
    for h, weight, bias in [
        (state[0][:, : H // 2], cell.input_weight, cell.bias),
        (state[0][:, H // 2 :], cell.upper_weight, cell.upper_bias),
    ]:
        (W_z, W), (b_z, b) = numbers(weight, trial, 2), numbers(bias, trial, 2)
        z = sigmoid(x @ W_z + b_z)
        x = (1 - z) * h + z * (x @ W + b)
        after.append(x)
        gates.append(z)
    return (np.concatenate(after, axis=1),), (np.concatenate(gates, axis=1),)


def sru(cell, trial: int, x: np.ndarray, state: Arrays) -> tuple[Arrays, Arrays]:
    """Equations 1 to 4 of the paper in each layer; the upper one reads the h_t of the lower one."""
    found = []
    for c, layer in [(state[1][:, : H // 2], cell.lower), (state[1][:, H // 2 :], cell.upper)]:
        (W_f, W_r, W, W_h), (b_f, b_r) = (
            numbers(layer.input_weight, trial, 4),
            numbers(layer.bias, trial, 2),
        )
        v_f, v_r = numbers(layer.peephole, trial, 2)
        f = sigmoid(x @ W_f + v_f * c + b_f)
        r = sigmoid(x @ W_r + v_r * c + b_r)
        c = f * c + (1 - f) * (x @ W)
        x = r * c + (1 - r) * (x @ W_h)
        found.append((x, c, f, r))
    h, c, f, r = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    return (h, c), (f, r)


PLAINLY = {"mgu": mgu, "gru": gru, "lstm": lstm, "mingru": mingru, "sru": sru}


@pytest.mark.parametrize("name", PLAINLY)
def test_a_cell_agrees_with_its_equations(name, inputs):
    cell = random_cell(name)
    states = run(cell, inputs)
    for trial in range(R):
        state = tuple(np.zeros((B, H)) for _ in states)
        for step in range(T):
            state, _ = PLAINLY[name](cell, trial, inputs[trial, step].double().numpy(), state)
            for found, expected in zip(states, state, strict=True):
                np.testing.assert_allclose(
                    found[trial, step].numpy(), expected, atol=1e-5, rtol=1e-5
                )


@pytest.mark.parametrize("name", PLAINLY)
def test_gates_are_open_as_the_equations_say(name, inputs):
    cell = random_cell(name)
    state = cell.initial_state(B)
    for step in range(T):
        projected = cell.project(inputs[:, step])
        gates = cell.gate_activations(state, projected)
        assert len(gates) == len(cell.gates)
        for trial in range(R):
            before = tuple(part[trial].double().numpy() for part in state)
            _, plainly = PLAINLY[name](cell, trial, inputs[trial, step].double().numpy(), before)
            for found, expected in zip(gates, plainly, strict=True):
                np.testing.assert_allclose(found[trial].numpy(), expected, atol=1e-6)
        assert all(((gate >= 0) & (gate <= 1)).all() for gate in gates)
        state = cell.step(state, projected)


def test_every_cell_with_a_gate_is_held_against_its_equations():
    assert set(PLAINLY) == set(CELLS) - {"srn"}


@pytest.mark.parametrize("name", CELLS)
def test_a_state_of_a_single_row_goes_with_every_row_of_inputs(name, inputs):
    cell = random_cell(name)
    state = tuple(
        part[:, :1] for part in cell.step(cell.initial_state(B), cell.project(inputs[:, 0]))
    )
    projected = cell.project(inputs[:, 1])
    repeated = tuple(part.expand(R, B, H) for part in state)
    for found, expected in zip(
        cell.step(state, projected), cell.step(repeated, projected), strict=True
    ):
        torch.testing.assert_close(found, expected)
    for found, expected in zip(
        cell.gate_activations(state, projected),
        cell.gate_activations(repeated, projected),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", CELLS)
def test_each_trial_is_the_cell_drawn_from_its_seed_alone(name):
    stack = make_cell(name, D, H, generators([3, 5])).state_dict()
    for trial, seed in enumerate([3, 5]):
        alone = make_cell(name, D, H, generators([seed])).state_dict()
        for key, value in alone.items():
            assert torch.equal(stack[key][trial], value[0])


@pytest.mark.parametrize("name", ["srn", "mgu", "gru", "lstm"])
def test_recurrent_weights_begin_orthogonal(name):
    for key, value in make_cell(name, D, H, generators()).named_parameters():
        if key in ("hidden_weight", "forget_weight", "candidate_weight"):
            for block in value.detach().split(H, dim=2):
                torch.testing.assert_close(
                    block @ block.transpose(1, 2), torch.eye(H).expand(R, H, H)
                )


def test_the_forget_gate_of_an_lstm_begins_open():
    bias = make_cell("lstm", D, H, generators()).bias.detach()
    assert torch.equal(
        bias, torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(H).expand(R, 1, 4 * H)
    )


def test_cells_have_from_no_gate_to_three():
    counts = {name: len(make_cell(name, D, H, generators()).gates) for name in CELLS}
    assert counts == {"srn": 0, "mgu": 1, "gru": 2, "lstm": 3, "mingru": 1, "sru": 2}


@pytest.mark.parametrize("name", CELLS)
def test_the_initial_state_is_zero(name):
    state = make_cell(name, D, H, generators()).initial_state(B)
    assert len(state) == (2 if name in WITH_CELL_STATE else 1)
    for part in state:
        assert torch.equal(part, torch.zeros(R, B, H))


def test_an_unknown_cell_is_refused():
    with pytest.raises(ModelError, match="srn, mgu, gru, lstm, mingru, sru, got 'transformer'"):
        make_cell("transformer", D, H, generators())
