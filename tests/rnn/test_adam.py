import subprocess
import sys

import pytest
import torch
from torch import nn

from lisor.rnn.adam import StackedAdam


def parameters(seed: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(3, *shape, generator=generator)) for shape in ((4, 5), (1, 5))]


def give_gradients(moved: list[nn.Parameter], seed: int, networks: torch.Tensor | slice = slice(None)) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in moved:
        parameter.grad = torch.randn(3, *parameter.shape[1:], generator=generator)[networks]


@pytest.mark.parametrize("without", [(), (2, 3)], ids=["always", "not in steps 2 and 3"])
def test_the_steps_are_those_of_torch(without: tuple[int, ...]) -> None:
    ours, theirs = parameters(0), parameters(0)
    adam, peer = StackedAdam(ours, learning_rate=0.05), torch.optim.Adam(theirs, lr=0.05)
    for step in range(6):
        for moved, optimizer in ((ours, adam), (theirs, peer)):
            optimizer.zero_grad()
            give_gradients(moved[: 1 if step in without else 2], step)
            optimizer.step()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other)


def test_those_that_are_kept_go_on_as_if_none_had_left() -> None:
    whole, few, chosen = parameters(1), parameters(1), torch.tensor([0, 2])
    both = [(whole, StackedAdam(whole, learning_rate=0.05)), (few, StackedAdam(few, learning_rate=0.05))]
    for step in range(6):
        for moved, adam in both:
            adam.zero_grad()
            give_gradients(moved, step, chosen if len(moved[0]) == 2 else slice(None))
            adam.step()
        if step == 2:
            both[1][1].keep(chosen)
    for mine, other in zip(few, whole, strict=True):
        torch.testing.assert_close(mine, other[chosen], rtol=0, atol=0)


def test_training_loads_no_compiler() -> None:
    code = (
        "import sys, lisor; from lisor.config import ModelsConfig, TrainingConfig; from lisor.rnn import training\n"
        "words, how = lisor.words('000', max_length=3), TrainingConfig(max_epochs=1, restarts=0)\n"
        "training.train(words, cell='gru', models=ModelsConfig(cells=('gru',)), config=how, trials=[0])\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
