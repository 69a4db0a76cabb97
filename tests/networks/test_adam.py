import subprocess
import sys

import pytest
import torch
from torch import nn

from lisor.networks import training


def parameters(seed: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(3, *shape, generator=generator)) for shape in ((4, 5), (1, 5))]


def give_gradients(
    moved: list[nn.Parameter], seed: int, networks: torch.Tensor | slice = slice(None)
) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in moved:
        parameter.grad = torch.randn(3, *parameter.shape[1:], generator=generator)[networks]


@pytest.mark.parametrize("without", [(), (2, 3)], ids=["always", "not in steps 2 and 3"])
def test_each_network_takes_the_steps_of_torch_alone(without: tuple[int, ...]) -> None:
    stacked, singles = parameters(0), [parameters(0) for _ in range(3)]
    for network, single in enumerate(singles):
        for parameter in single:
            parameter.data = parameter.data[[network]]
    everything = [(stacked, training._Adam(stacked, lr=0.05, fused=True), slice(None))]
    everything += [
        (single, torch.optim.Adam(single, lr=0.05, fused=True), slice(network, network + 1))
        for network, single in enumerate(singles)
    ]
    for step in range(6):
        for moved, adam, networks in everything:
            give_gradients(moved[: 1 if step in without else 2], step, networks)
            adam.step()
            for parameter in moved:
                parameter.grad = None
    for index, parameter in enumerate(stacked):
        alone = torch.cat([single[index] for single in singles])
        torch.testing.assert_close(parameter, alone)


def test_those_that_are_kept_go_on_as_if_none_had_left() -> None:
    whole, few, chosen = parameters(1), parameters(1), torch.tensor([0, 2])
    both = [(stacked, training._Adam(stacked, lr=0.05, fused=True)) for stacked in (whole, few)]
    for step in range(6):
        for moved, adam in both:
            give_gradients(moved, step, chosen if len(moved[0]) == 2 else slice(None))
            adam.step()
        if step == 2:
            training._keep_networks(both[1][1], chosen)
            assert all(parameter.grad is None for parameter in few)
    for kept, other in zip(few, whole, strict=True):
        torch.testing.assert_close(kept, other[chosen], rtol=0, atol=0)


def test_networks_can_leave_before_the_first_step() -> None:
    few, chosen = parameters(1), torch.tensor([1])
    adam = training._Adam(few, lr=0.05, fused=True)
    training._keep_networks(adam, chosen)
    give_gradients(few, 0, chosen)
    adam.step()
    assert all(len(parameter) == 1 for parameter in few)


@pytest.mark.slow
def test_training_loads_no_compiler() -> None:
    code = (
        "import sys, lisor\n"
        "from lisor.networks import training\n"
        "from lisor.settings.models import ModelsSettings\n"
        "from lisor.settings.training import TrainingSettings\n"
        "how = TrainingSettings(max_epochs=1, restarts=0)\n"
        "words = lisor.words('000', max_length=3)\n"
        "training.train(words, cell='gru', models=ModelsSettings(cells=('gru',)), settings=how, "
        "trials=[0])\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
