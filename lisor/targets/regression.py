"""Numbers for a whole sequence: what is true after its last symbol."""

from __future__ import annotations

from lisor.targets.sequence import SequenceTarget


class RegressionTarget(SequenceTarget):
    """The position of each sequence is its last prefix, which is the sequence itself; it has a
    symbol at least, since a transition has the numbers."""

    name = "regression"
    reads_empty = False
    is_numeric = True
    predicted = "numbers"
    names_classes = False


REGRESSION = RegressionTarget()
