import pytest
import torch

from lisor import devices
from lisor.devices import pick_cuda, pick_device, resolve_device
from lisor.errors import ConfigError


def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_without_a_gpu_the_cpu_is_left(name, monkeypatch):
    without_gpu(monkeypatch)
    assert pick_device(name) == torch.device("cpu")
    assert pick_cuda(name) is None


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_here_is_said_to_be_so(name, monkeypatch):
    without_gpu(monkeypatch)
    with pytest.raises(ConfigError, match=f"no device {name} is here.*use auto or cpu"):
        pick_device(name)


def test_torch_is_not_asked_where_no_driver_is(monkeypatch):
    monkeypatch.setattr(devices, "DRIVERS", ("/dev/no-such-driver",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cpu"


def test_a_gpu_that_is_there_is_picked(monkeypatch):
    without_gpu(monkeypatch)
    monkeypatch.setattr(devices, "DRIVERS", ("/dev/null",))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert (pick_device("auto").type, pick_cuda("auto")) == ("mps", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (pick_device("auto").type, pick_cuda("auto")) == ("cuda", torch.device("cuda"))
    assert (pick_device("cpu").type, pick_cuda("cpu")) == ("cpu", None)
