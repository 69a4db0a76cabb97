"""Networks of one's own as a command takes them: a callable that builds one, and a file of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lisor.errors import ModelError


def source_of(build: str) -> Path:
    """The file of the module that a build, `package.module:callable`, is in.

    Raises:
        ModelError: it is not of that form, or there is no such module."""
    name, colon, function = build.partition(":")
    try:
        found = find_spec(name) if name and colon and function else None
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ModelError(
            f"expected package.module:build, a callable in a module that Python finds from here, got {build!r}"
        )
    return Path(found.origin)


def load(build: str, weights: Path | None) -> object:
    """The network that a build makes when it is called without arguments, ready to answer, with the weights of a file.

    Weights are a .safetensors file, or a state dict that torch.save wrote, which is read with weights_only=True:
    nothing else is unpickled.

    Raises:
        ModelError: the build is not found or fails, weights are missing, not readable or of other shapes."""
    source_of(build)
    name, _, function = build.partition(":")
    try:
        network = getattr(import_module(name), function)()
    except Exception as error:  # a stranger's code may raise anything
        raise ModelError(f"{build} cannot be called without arguments: {_first_line(error)}") from error
    if isinstance(network, nn.Module):
        if weights is None:
            raise ModelError(f"{build} makes a torch module: give the file of its weights")
        return _with_weights(network, read_weights(weights)).eval()
    if weights is not None:
        raise ModelError(f"expected a torch module from {build} to load weights into, got {type(network).__name__}")
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
            f"{path.name} cannot be read as weights: expected .safetensors, or what torch.save(network.state_dict()) "
            f"wrote; nothing else is unpickled ({type(error).__name__})"
        ) from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(
            f"expected a state dict of tensors in {path.name}, got a {type(found).__name__} of other things"
        )
    return dict(found)


def _with_weights(network: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:]]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise ModelError(f"the weights do not fit {type(network).__name__}: {reasons[0]}{more}") from None
    return network


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
