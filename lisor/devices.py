"""Where numbers are computed: the CPU, a GPU of NVIDIA's (CUDA) or of Apple's (MPS)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import ConfigError

if TYPE_CHECKING:
    import torch

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Files that the drivers of accelerators make on Linux: NVIDIA's, WSL's and AMD's."""


def resolve_device(name: str, kinds: tuple[str, ...] = ("cuda", "mps", "cpu")) -> str:
    """What "auto" means on this machine, the first of these kinds that is there; any other name
    stays.

    Torch, which takes seconds to load, is asked only where there may be an accelerator."""
    if name != "auto":
        return name
    if sys.platform == "linux" and not any(Path(driver).exists() for driver in DRIVERS):
        return "cpu"
    return next(kind for kind in kinds if _is_there(kind))


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" means CUDA, else MPS, else the CPU, whichever is there.

    Raises:
        ConfigError: there is none of that name."""
    import torch

    name = resolve_device(name)
    if not _is_there(name):
        raise ConfigError(
            f"no device {name} is here, as far as torch {torch.__version__} sees; use auto or cpu"
        )
    return torch.device(name)


def pick_cuda(name: str) -> torch.device | None:
    """CUDA where "cuda" or "auto" finds it, else None for "auto" and "cpu"; MPS has no float64.

    Raises:
        ConfigError: "cuda" was asked for, and there is none."""
    device = pick_device(resolve_device(name, ("cuda", "cpu")))
    return device if device.type == "cuda" else None


def _is_there(kind: str) -> bool:
    import torch

    return {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }[kind]
