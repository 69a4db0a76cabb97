"""Numbers at each step: a forecast, or any other value after each symbol of a sequence."""

from __future__ import annotations

from lisor.targets.step import StepTarget


class NumberTarget(StepTarget):
    """The positions of a sequence are all its prefixes but the empty one, one for each symbol."""

    name = "number"
    is_numeric = True
    predicted = "numbers"
    names_classes = False


NUMBER = NumberTarget()
