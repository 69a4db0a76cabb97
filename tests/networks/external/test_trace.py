from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from lisor.networks.external.trace import Recording, Replay

LAYERS = [
    pytest.param(kind, layers, batch_first, packed, id=f"{kind.__name__} {layers} "
                 f"{'batch' if batch_first else 'time'} first{' packed' * packed}")
    for kind, layers, batch_first, packed in product(
        (nn.RNN, nn.GRU, nn.LSTM), (1, 3), (False, True), (False, True)
    )
]  # fmt: skip


def flat(result: object) -> list[torch.Tensor]:
    return [one for one in torch.utils._pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]


@pytest.mark.parametrize(("kind", "layers", "batch_first", "packed"), LAYERS)
def test_a_layer_run_step_by_step_puts_out_what_it_does_at_once(kind, layers, batch_first, packed):
    torch.manual_seed(0)
    layer = kind(3, 5, layers, batch_first=batch_first)
    vectors = torch.randn(4, 6, 3)
    read = vectors if batch_first else vectors.transpose(0, 1)
    whole = pack_padded_sequence(read, torch.full((4,), 6), batch_first) if packed else read
    with torch.no_grad():
        output, state = layer(whole)
        own = [*flat(output.data if packed else output), *flat(state)]
        recording = Recording()
        output, state = recording.run(lambda: layer(whole))
    traced = [*flat(output.data if packed else output), *flat(state)]
    for one, other in zip(own, traced, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)
    mode = layer.mode.lower()
    states = [node for node in recording.nodes.values() if node.operator == mode]
    assert len(states) == 6 * (1 + (kind is nn.LSTM))
    for step in range(6):
        prefix = read[:, : step + 1] if batch_first else read[: step + 1]
        with torch.no_grad():
            after = flat(layer(prefix)[1])
        for part, one in enumerate(after):
            node = states[step * len(after) + part]
            np.testing.assert_allclose(node.value, one, atol=1e-6)


def test_a_bidirectional_layer_is_run_at_once():
    layer = nn.GRU(3, 5, bidirectional=True)
    recording = Recording()
    recording.run(lambda: layer(torch.randn(6, 4, 3)))
    assert "gru" not in {node.operator for node in recording.nodes.values()}


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((3, 5, 3), {"padding": 2}),
        ((3, 5, 1), {"bias": False}),
        ((4, 4, 2), {"groups": 4, "dilation": 2, "padding": 2}),
    ],
)
def test_a_convolution_run_step_by_step_puts_out_what_it_does_at_once(sizes, options):
    torch.manual_seed(0)
    layer, read = nn.Conv1d(*sizes, **options), torch.randn(2, sizes[0], 6)
    recording = Recording()
    with torch.no_grad():
        torch.testing.assert_close(recording.run(lambda: layer(read)), layer(read))
    padding = layer.padding[0]
    windows = [node for node in recording.nodes.values() if node.operator == "conv1d"]
    assert len(windows) == 6 + 2 * padding
    length = 1 + layer.dilation[0] * (sizes[2] - 1)
    torch.testing.assert_close(windows[5 + padding].value, read[..., -length:])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_run_as_what_it_is_made_of(causal):
    torch.manual_seed(0)
    query, keys, values = torch.randn(3, 2, 4, 5).unbind()
    attend = nn.functional.scaled_dot_product_attention
    recording = Recording()
    result = recording.run(lambda: attend(query, keys, values, is_causal=causal))
    torch.testing.assert_close(result, attend(query, keys, values, is_causal=causal))
    assert any("softmax" in node.operator for node in recording.nodes.values())


def call(read: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    """Views, a tensor handed on as it is, and one written in place."""
    first = read * 2
    same = first.to(torch.float32).contiguous()
    buffer[:, 1] = same.sum(dim=1)
    first += 1
    return torch.relu(buffer) + first.mean()


def record() -> Recording:
    recording = Recording()
    read, buffer = torch.ones(3, 2), torch.zeros(3, 2)
    recording.result = recording.run(lambda: call(read, buffer))
    return recording


def test_tensors_have_the_same_numbers_each_time_and_none_for_what_is_handed_on():
    one, other = record().nodes, record().nodes
    assert [*one] == [*other]
    operators = [node.operator.split(".")[1] for node in one.values()]
    assert operators == ["mul", "sum", "select", "copy_", "add_", "relu", "mean", "add"]


def test_sources_follow_what_is_written_in_place():
    nodes = {node.operator.split(".")[1]: node for node in record().nodes.values()}
    assert nodes["sum"].number in nodes["copy_"].sources
    assert nodes["copy_"].number in nodes["relu"].sources
    assert nodes["add_"].number in nodes["mean"].sources


@pytest.mark.parametrize("operator", ["mul", "sum", "copy_", "add_", "relu"])
def test_a_tensor_in_the_place_of_another_goes_on_in_its_stead(operator):
    recorded = record()
    (node,) = [one for one in recorded.nodes.values() if f".{operator}." in one.operator]
    last = [*recorded.nodes][-1]
    for change in (0.0, 10.0):
        replay = Replay({node.number: node.value + change}, [node.number, last])
        read, buffer = torch.ones(3, 2), torch.zeros(3, 2)
        result = replay.run(lambda read=read, buffer=buffer: call(read, buffer))
        torch.testing.assert_close(replay.values[node.number], node.value + change)
        torch.testing.assert_close(replay.values[last], result)
        assert torch.equal(result, recorded.result) == (change == 0)
