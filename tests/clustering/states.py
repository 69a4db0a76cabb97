"""Hidden states from anywhere, as points that can be clustered."""

import numpy as np

from lisor.networks.hidden_states import Points


def points_of(
    states: np.ndarray, cell_state: np.ndarray | None = None, steps: int | None = None
) -> Points:
    """States that sequences of so many steps left, or a single one, by reading the symbol 0."""
    rows = np.arange(len(states), dtype=np.int32)
    steps = steps or max(1, len(states))
    return Points(
        sequence=rows // steps,
        step=rows % steps + 1,
        symbol=np.zeros(len(states), np.int32),
        state=states,
        cell_state=cell_state,
    )
