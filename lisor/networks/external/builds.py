"""External networks as a command takes them: a callable that builds one, and a file of its
weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lisor.errors import ModelError, one_line
from lisor.networks.external.calls import SHOWN, calling

CHECKPOINT = ("state_dict", "model_state_dict", "model")
"""Names of the state dict in a checkpoint that holds more."""

WRAPPED = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What wrappers put before the names of all weights: DataParallel, torch.compile, Lightning."""

LISTED = 3
"""Names of weights that a message lists."""


def source_of(build: str) -> Path:
    """The file of the module that a build, `package.module:callable`, is in.

    Raises:
        ModelError: it is not of that form, there is no such module, or a package that it is in
            cannot be imported."""
    name, colon, function = build.partition(":")
    spec = _find_spec(name) if colon and function and all(name.split(".")) else None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ModelError(
            "expected package.module:build, a callable in a module that Python finds from here, "
            f"got {one_line(build, SHOWN)!r}"
        )
    return Path(spec.origin)


def _find_spec(name: str) -> ModuleSpec | None:
    """Where a module is; its packages are imported to look for it."""
    package = name.rpartition(".")[0]
    try:
        with calling(f"the import of {one_line(package or name, SHOWN)}"):
            return find_spec(name)
    except ModelError as error:
        missing = error.__cause__
        packages = [*accumulate(name.split("."), "{}.{}".format)]
        if isinstance(missing, ModuleNotFoundError) and missing.name in packages:
            return None
        raise


def load(build: str, weights: Path | None) -> object:
    """The network that a build makes when it is called without arguments, ready to answer, with the
    weights of a file, or else those that the build gives it.

    Weights are a .safetensors file, or a state dict that torch.save wrote, which is read with
    weights_only=True: nothing else is unpickled.

    Raises:
        ModelError: the build is not found or fails, or the weights are not readable or of other
            shapes."""
    source_of(build)
    name, _, function = build.partition(":")
    with calling(f"the import of {one_line(name, SHOWN)}"):
        make = getattr(import_module(name), function, None)
    shown = one_line(build, SHOWN)
    if not callable(make):
        kind = f"a {one_line(type(make).__name__, SHOWN)}"
        raise ModelError(
            f"{shown} cannot be called: expected a callable that makes the network, found "
            f"{'nothing of that name' if make is None else kind}"
        )
    with calling(f"{shown} called without arguments"):
        network = make()
    if isinstance(network, nn.Module):
        if weights is not None:
            _load_weights(network, read_weights(weights))
        return network.eval()
    if weights is not None:
        kind = one_line(type(network).__name__, SHOWN)
        raise ModelError(f"expected a torch module from {shown} to load weights into, got {kind}")
    return network


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, by name: of a state dict, or of the one in a checkpoint.

    Raises:
        ModelError: it cannot be read, or holds no state dict."""
    name = one_line(path.name, SHOWN)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch fails in many ways on files that are something else
        raise ModelError(
            f"{name} cannot be read as weights: expected .safetensors, or what "
            "torch.save(network.state_dict()) wrote; nothing else is unpickled "
            f"({type(error).__name__})"
        ) from None
    if not isinstance(weights, Mapping):
        raise ModelError(
            f"expected a state dict of tensors in {name}, got a "
            f"{one_line(type(weights).__name__, SHOWN)}"
        )
    inner = [weights[name] for name in CHECKPOINT if isinstance(weights.get(name), Mapping)]
    weights = inner[0] if inner else weights
    odd = [str(key) for key, value in weights.items() if not isinstance(value, Tensor)]
    if odd:
        raise ModelError(
            f"expected a state dict of tensors in {name}, got also {_listed(odd)}, which are none; "
            "save network.state_dict() alone"
        )
    return dict(weights)


def _load_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    known, name = network.state_dict(), one_line(type(network).__name__, 40)
    weights = _unwrapped(weights, known)
    faults = {
        "missing": [key for key in known if key not in weights],
        "unexpected": [key for key in weights if key not in known],
        "of another size": [
            f"{key} {[*value.shape]} for {[*known[key].shape]}"
            for key, value in weights.items()
            if isinstance(known.get(key), Tensor) and known[key].shape != value.shape
        ],
    }
    listed = [f"{kind}: {_listed(keys)}" for kind, keys in faults.items() if keys]
    if listed:
        raise ModelError(f"the weights do not fit {name}; {'; '.join(listed)}")
    with calling(f"{name}.load_state_dict(weights)"):
        network.load_state_dict(weights)


def _unwrapped(weights: dict[str, Tensor], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights without what a wrapper of the network put before all their names."""
    bare = weights
    while bare and not bare.keys() & known.keys():
        prefix = next((one for one in WRAPPED if all(key.startswith(one) for key in bare)), None)
        if prefix is None:
            return weights
        bare = {key.removeprefix(prefix): value for key, value in bare.items()}
    return bare


def _listed(names: Sequence[str]) -> str:
    """The first of some names, shortened, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(one_line(name, 45) for name in names[:LISTED]) + more
