"""Train recurrent networks, read finite state automata off their hidden states, and measure how
faithful they are.

```python
words = lisor.words("000")
network = lisor.train(words, cell="gru")
automaton = lisor.extract(network, words)
lisor.draw(automaton, "000.svg")
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.extraction.estimator import AutomatonExtractor
    from lisor.shortcuts import complete, draw, extract, train, words

__all__ = ["Automaton", "AutomatonExtractor", "complete", "draw", "extract", "train", "words"]

_HOMES = {
    "Automaton": "lisor.automata.automaton",
    "AutomatonExtractor": "lisor.extraction.estimator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import lisor` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'lisor' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "lisor.shortcuts")), name)
