"""The recurrent layers of a torch module."""

from __future__ import annotations

from typing import Any

from torch import nn


def recurrent_layers(module: nn.Module) -> list[nn.RNNBase]:
    """The recurrent layers of torch in a module, itself included."""
    return [part for part in module.modules() if isinstance(part, nn.RNNBase)]


def reads_backwards(module: nn.Module) -> bool:
    """Whether a layer of a module is bidirectional: one of torch, or Keras's wrapper of two, which
    stands in `layers`."""
    layers = getattr(module, "layers", None)
    wrappers = [*module.modules(), *(layers if isinstance(layers, list) else ())]
    return any(layer.bidirectional for layer in recurrent_layers(module)) or any(
        type(part).__name__ == "Bidirectional" for part in wrappers
    )


def zeros(layer: nn.RNNBase, count: int) -> Any:
    """The state in which a recurrent layer begins by itself."""
    layers, like = layer.num_layers * (1 + layer.bidirectional), next(layer.parameters())
    hidden = like.new_zeros(layers, count, layer.proj_size or layer.hidden_size)
    if layer.mode != "LSTM":
        return hidden
    return hidden, like.new_zeros(layers, count, layer.hidden_size)
