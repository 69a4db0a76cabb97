"""Networks of one's own as a command takes them: a callable that builds one, and a file of its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lisor.errors import ModelError, one_line
from lisor.rnn.foreign import SHOWN, calling

LISTED = 3
"""Names of weights that a message lists."""


def source_of(build: str) -> Path:
    """The file of the module that a build, `package.module:callable`, is in.

    Raises:
        ModelError: it is not of that form, there is no such module, or a package that it is in cannot be imported."""
    name, colon, function = build.partition(":")
    found = _find_spec(name) if colon and function and all(name.split(".")) else None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ModelError(
            "expected package.module:build, a callable in a module that Python finds from here, got "
            f"{one_line(build, SHOWN)!r}"
        )
    return Path(found.origin)


def _find_spec(name: str) -> ModuleSpec | None:
    """Where a module is; its packages are imported to look for it."""
    package = name.rpartition(".")[0]
    try:
        with calling(f"the import of {one_line(package or name, SHOWN)}"):
            return find_spec(name)
    except ModelError as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and missing.name in _packages(name):
            return None
        raise


def _packages(name: str) -> list[str]:
    """A module's name and those of the packages that it is in."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def load(build: str, weights: Path | None) -> object:
    """The network that a build makes when it is called without arguments, ready to answer, with the weights of a file.

    Weights are a .safetensors file, or a state dict that torch.save wrote, which is read with weights_only=True:
    nothing else is unpickled.

    Raises:
        ModelError: the build is not found or fails, weights are missing, not readable or of other shapes."""
    source_of(build)
    name, _, function = build.partition(":")
    with calling(f"the import of {one_line(name, SHOWN)}"):
        make = getattr(import_module(name), function, None)
    shown = one_line(build, SHOWN)
    if not callable(make):
        found = "nothing of that name" if make is None else f"a {one_line(type(make).__name__, SHOWN)}"
        raise ModelError(f"{shown} cannot be called: expected a callable that makes the network, found {found}")
    with calling(f"{shown} called without arguments"):
        network = make()
    if isinstance(network, nn.Module):
        if weights is None:
            raise ModelError(f"{shown} makes a torch module: give the file of its weights")
        return _with_weights(network, read_weights(weights)).eval()
    if weights is not None:
        found = one_line(type(network).__name__, SHOWN)
        raise ModelError(f"expected a torch module from {shown} to load weights into, got {found}")
    return network


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, by name.

    Raises:
        ModelError: it cannot be read, or holds anything but a state dict."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch fails in many ways on files that are something else
        raise ModelError(
            f"{one_line(path.name, SHOWN)} cannot be read as weights: expected .safetensors, or what "
            f"torch.save(network.state_dict()) wrote; nothing else is unpickled ({type(error).__name__})"
        ) from None
    name = one_line(path.name, SHOWN)
    if not isinstance(found, Mapping):
        raise ModelError(f"expected a state dict of tensors in {name}, got a {one_line(type(found).__name__, SHOWN)}")
    odd = [str(key) for key, value in found.items() if not isinstance(value, Tensor)]
    if odd:
        raise ModelError(
            f"expected a state dict of tensors in {name}, got also {_listed(odd)}, which are none; "
            "save network.state_dict() alone"
        )
    return dict(found)


def _with_weights(network: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    own, name = network.state_dict(), one_line(type(network).__name__, 40)
    faults = {
        "missing": [key for key in own if key not in weights],
        "unexpected": [key for key in weights if key not in own],
        "of another size": [
            f"{key} {[*value.shape]} for {[*own[key].shape]}"
            for key, value in weights.items()
            if isinstance(own.get(key), Tensor) and own[key].shape != value.shape
        ],
    }
    found = "; ".join(f"{kind}: {_listed(keys)}" for kind, keys in faults.items() if keys)
    if found:
        raise ModelError(f"the weights do not fit {name}; {found}")
    with calling(f"{name}.load_state_dict(weights)"):
        network.load_state_dict(weights)
    return network


def _listed(names: Sequence[str]) -> str:
    """The first of some names, shortened, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(one_line(name, 45) for name in names[:LISTED]) + more
