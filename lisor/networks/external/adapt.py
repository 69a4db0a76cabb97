"""Any network as extraction needs it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lisor.errors import ModelError, one_line
from lisor.networks.external.adapter import Adapter
from lisor.networks.external.calls import SHOWN
from lisor.networks.external.module import ModuleNetwork
from lisor.networks.external.reading import Meaning
from lisor.networks.external.stepped import SteppedNetwork
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel

METHODS = ("initial_state", "step", "scores", "is_accepting")
"""The methods of a stepped network, of which one of the last two is enough."""


def adapt(
    network: object,
    alphabet: Sequence[str],
    classes: Sequence[str] | None = None,
    *,
    meaning: Meaning | None = None,
) -> Network:
    """A network as extraction needs it; one that is so already is returned as it is.

    An object with `initial_state()`, `step(state, symbol)` and `scores(state)` or
    `is_accepting(state)` is stepped; of any other torch module the state machine inside it is found
    and stepped. Symbols are handed over by their numbers in `alphabet`. `classes` are named
    "reject" and "accept", or by their numbers, unless given.

    What its outputs are read as is their `meaning`, unless it is a class.

    Raises:
        ModelError: it is neither, its predictions do not follow from its state, it names other
            symbols or classes, or its outputs are not what they are to be read as."""
    meaning = meaning or Meaning()
    meaning.check(alphabet)
    if isinstance(network, TrainedModel | Adapter):
        if tuple(alphabet) != network.alphabet.symbols:
            raise ModelError(
                f"expected the network's {len(network.alphabet)} symbols, got {len(alphabet)} "
                "or in another order; give the alphabet it was trained on"
            )
        if classes is not None and tuple(classes) != network.classes:
            known, given = (
                one_line(", ".join(map(str, names)), SHOWN) for names in (network.classes, classes)
            )
            raise ModelError(
                f"expected the network's own classes {known}, got {given}; leave them out"
            )
        if meaning.target not in (None, network.target):
            raise ModelError(
                f"expected {network.name} to be read as what it is, {network.target}, got the "
                f"target {meaning.target}"
            )
        return network
    methods = {name for name in METHODS if callable(getattr(network, name, None))}
    is_object = not isinstance(network, type)  # a class has its objects' methods, but no state
    if is_object and methods >= {"initial_state", "step"} and len(methods) > 2:
        return SteppedNetwork(network, alphabet, classes, meaning)
    if isinstance(network, nn.Module):
        return ModuleNetwork(network, alphabet, classes, meaning)
    hint = ""
    if isinstance(network, type):
        hint = ", a class: call it first"
    elif callable(network):
        hint = ", a function, which has no hidden states: lisor.extract learns it by queries"
    raise ModelError(
        "expected a torch module with a recurrent network inside, or an object with "
        "initial_state(), step(state, symbol) and is_accepting(state) or scores(state), got "
        f"{one_line(getattr(network, '__name__', type(network).__name__), SHOWN)}{hint}"
    )
