"""The modules of `brought` are what they say: their owners can call them."""

import pytest
import torch

from tests.networks.external.brought import MODULES


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("name", MODULES)
def test_its_owner_calls_it_before_and_after_training(name: str) -> None:
    torch.manual_seed(0)
    one = MODULES[name]
    module, words = one.build(), torch.randint(2, (5, 7))
    steps = {"class": (), "number": (), "step": (7,), "next": (8,)}[one.target]
    outputs = {"class": 2, "step": 2, "next": 3, "number": 1}[one.target]
    trained = one.call(module, words)
    assert trained.shape[:-1] == (5, *steps)
    assert trained.shape[-1] in (outputs, 1)
    assert trained.requires_grad
    with torch.no_grad():
        answers = one.call(one.after(module), words)
        assert answers.shape == trained.shape
        torch.testing.assert_close(answers, one.call(one.after(module), words))
