"""What automata of at most so many states reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from lisor.evaluation.choice import choose


def bounded_table(evaluations: Sequence[pd.DataFrame], bounds: Sequence[int]) -> Iterator[str]:
    """A table of mean fidelity and accuracy on the test set, a row for each rule and a column for
    each bound; `evaluations` are those of each network."""
    yield "| rule | " + " | ".join(map(str, bounds)) + " |"
    yield "| --- |" + " --- |" * len(bounds)
    for rule in sorted({rule for table in evaluations for rule in table["rule"]}):
        of_rule = [table[table["rule"] == rule] for table in evaluations]
        yield f"| {rule} | " + " | ".join(_best(of_rule, bound) for bound in bounds) + " |"


def _best(evaluations: Sequence[pd.DataFrame], bound: int) -> str:
    """Mean fidelity and accuracy on the test set of what is picked of each network's automata."""
    if not all((table["n_states"] <= bound).any() for table in evaluations):
        return "–"
    rows = pd.concat(
        [
            choose(table.assign(rule="any", deterministic=True), tolerance=0.0, most_states=bound)
            for table in evaluations
        ]
    )
    picked = rows[rows["selected"] & (rows["test_set"] == "test")]
    return f"{picked['fidelity'].mean():.3f} / {picked['accuracy'].mean():.3f}"
