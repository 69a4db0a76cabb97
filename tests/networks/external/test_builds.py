"""Networks of users' modules, whose faults end in one line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from lisor.errors import ModelError
from lisor.networks.external.builds import load, read_weights, source_of
from tests.plain import Acceptor

MODULES = {
    "raises/__init__.py": "raise RuntimeError('first line\\nsecond line')",
    "raises/networks.py": "",
    "lacks/__init__.py": "import a_package_that_is_not_there",
    "lacks/networks.py": "",
    "leaves/__init__.py": "import sys\nsys.exit(0)",
    "leaves/networks.py": "",
    "wrong/__init__.py": "def (",
    "wrong/networks.py": "",
    "alone.py": "import sys\nsys.exit()",
    "crooked.py": "x = (",
    "networks.py": "from torch import nn\nimport sys\n\n\n"
    "def large():\n    return nn.GRU(8, 100_000)\n\n\n"
    "def leave():\n    sys.exit()\n\n\n"
    "def need(size):\n    return nn.GRU(8, size)\n\n\n"
    "def fail():\n    raise ValueError('x' * 5000)\n\n\n"
    "constant = 3\n",
    "attributes.py": "def __getattr__(name):\n    raise RuntimeError(f'no {name} today')",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules of a user, forgotten after each test."""
    for name, content in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        ("raises.networks:build", "the import of raises raised RuntimeError: first line"),
        ("lacks.networks:build", "the import of lacks raised ModuleNotFoundError: No module named "
                                 "'a_package"),
        ("leaves.networks:build", "the import of leaves raised SystemExit: 0"),
        ("wrong.networks:build", "the import of wrong raised SyntaxError: invalid syntax "
                                 "(__init__.py, line 1)"),
        ("alone:build", "the import of alone raised SystemExit"),
        ("crooked:build", "the import of crooked raised SyntaxError"),
        ("attributes:build", "the import of attributes raised RuntimeError: no build today"),
        ("networks:leave", "networks:leave called without arguments raised SystemExit"),
        ("networks:need", "networks:need called without arguments raised TypeError: need() missing "
                          "1 required"),
        ("networks:fail", "networks:fail called without arguments raised ValueError: xxx"),
        ("networks:absent", "networks:absent cannot be called: expected a callable that makes the "
                            "network, found no"),
        ("networks:constant", "networks:constant cannot be called: expected a callable that makes "
                              "the network, fo"),
        ("absent:build", "expected package.module:build, a callable in a module that Python finds "
                         "from here, got 'a"),
        ("networks.absent:build", "expected package.module:build"),
        (".networks:build", "expected package.module:build"),
        ("networks", "expected package.module:build"),
        ("x" * 5000, "expected package.module:build"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_used_is_one_line_with_the_true_reason(build, reason):
    with pytest.raises(ModelError) as refused:
        load(build, None)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300


def test_a_network_that_does_not_fit_into_memory_is_one_line():
    with pytest.raises(
        ModelError, match=r"networks:large called without arguments raised RuntimeError: .*allocate"
    ):
        load("networks:large", None)


def test_the_source_of_a_module_is_found_without_running_it():
    assert source_of("networks:leave").name == "networks.py"
    assert source_of("alone:build").name == "alone.py"
    assert "alone" not in sys.modules


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def prefixed(prefix: str = "wrapped.") -> dict[str, torch.Tensor]:
    """Weights as they are saved of a module that was wrapped."""
    return {f"{prefix}{name}": value for name, value in Acceptor().state_dict().items()}


def resized() -> dict[str, torch.Tensor]:
    return Acceptor().state_dict() | {"linear.weight": torch.zeros(3, 8)}


@pytest.mark.parametrize(
    ("weights", "reasons"),
    [
        (prefixed, ["missing: embedding.weight, ", " and 8 more; unexpected: "
                                                   "wrapped.embedding.weight, "]),
        (Acceptor(layers=3).state_dict, ["unexpected: layer.weight_ih_l2, layer.weight_hh_l2, "
                                         "layer.bias_ih_l2 and"]),
        (Acceptor(layers=1).state_dict, ["missing: layer.weight_ih_l1, layer.weight_hh_l1, "
                                         "layer.bias_ih_l1 and"]),
        (resized, ["of another size: linear.weight [3, 8]"]),
        (dict, ["missing: embedding.weight"]),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named_missing_and_unexpected_alike(tmp_path, weights, reasons):
    with pytest.raises(ModelError, match="the weights do not fit Acceptor; ") as refused:
        load("tests.plain:Acceptor", saved(tmp_path / "weights.pt", weights()))
    for reason in reasons:
        assert reason in str(refused.value)
    assert len(str(refused.value)) <= 300


def test_a_checkpoint_of_other_things_is_refused_by_their_names(tmp_path):
    content = {"epoch": 3, "loss": 0.5, **{f"other {i}": 1 for i in range(1000)}}
    with pytest.raises(
        ModelError, match=r"got also epoch, loss, other 0 and 999 more, which are none; save"
    ):
        read_weights(saved(tmp_path / "checkpoint.pt", content))


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_the_weights_in_a_checkpoint_are_loaded_whatever_wrapped_the_module(tmp_path, name, prefix):
    weights = prefixed(prefix)
    weights[f"{prefix}linear.bias"] = torch.full((1,), 7.0)
    content = {"epoch": 3, "optimizer_state_dict": {"state": {}, "param_groups": []}, name: weights}
    loaded = load("tests.plain:Acceptor", saved(tmp_path / "checkpoint.pt", content))
    assert loaded.linear.bias.item() == 7


def test_weights_that_fit_are_loaded(tmp_path):
    module = Acceptor()
    nn.init.constant_(module.linear.bias, 7)
    loaded = load("tests.plain:Acceptor", saved(tmp_path / "weights.pt", module.state_dict()))
    assert loaded.linear.bias.item() == 7
    assert not loaded.training


def test_without_a_file_the_weights_are_those_that_the_build_gives():
    loaded = load("tests.plain:Acceptor", None)
    assert isinstance(loaded, Acceptor)
    assert not loaded.training
