"""What the tests of attributions share."""

import numpy as np

from lisor.explain.gradients import Attributions, by_sequence


def values_of(attributions: Attributions, row: int) -> np.ndarray:
    """The attributions of one sequence."""
    return by_sequence(attributions.sequences, attributions.values)[row]
