"""Where numbers are crunched: the CPU, a GPU of NVIDIA's (CUDA) or of Apple's (MPS)."""

from __future__ import annotations

import torch

from lisor.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" means CUDA, else MPS, else the CPU, whichever is there.

    Raises:
        ConfigError: there is none of that name."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        raise ConfigError(f"no device {name} is here, as far as torch {torch.__version__} sees; use auto or cpu")
    return torch.device(name)


def pick_cuda(name: str) -> torch.device | None:
    """CUDA where "cuda" or "auto" finds it, else None for "auto" and "cpu"; MPS has no float64.

    Raises:
        ConfigError: "cuda" was asked for, and there is none."""
    device = pick_device("cpu" if name == "auto" and not torch.cuda.is_available() else name)
    return device if device.type == "cuda" else None
