"""Write docs/choice.md: which automaton is picked, and what other criteria would have picked.

make choice          runs configs/tomita.yaml and configs/faithful.yaml in the store of LISOR_HOME
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from docs.report_of import ROOT, report_of
from lisor.evaluation.choice import SELECTION, choose
from lisor.report.tables import Interval
from lisor_tasks.evaluation import NetworkArtifacts, read_evaluations
from lisor_tasks.register import look_up

CRITERIA = {
    "highest fidelity": ("fidelity", SELECTION, 0.0),
    "within half a point": ("fidelity", SELECTION, 0.005),
    "within a point": ("fidelity", SELECTION, 0.01),
    "within two points": ("fidelity", SELECTION, 0.02),
    "highest accuracy": ("accuracy", SELECTION, 0.0),
    "highest fidelity where it was read off": ("fidelity", "validation", 0.0),
}
"""What decides, on which split, and how much of it a smaller automaton may give up."""

RUNS = {
    "tomita": ("Languages", ("extraction.baselines=[]",), "highest fidelity"),
    "faithful": ("Movie reviews", (), "within half a point"),
}
"""Their titles, what is changed in their settings, and the criterion that the program goes by."""


def main() -> None:
    """Run, then write the page."""
    (ROOT / "docs/choice.md").write_text("\n".join(_page()) + "\n", encoding="utf-8")


def _page() -> Iterator[str]:
    yield "# Which automaton is picked"
    yield ""
    yield (
        "Written by `make choice`. A run makes an automaton of each method, rule and k, and one is "
        "picked for each"
    )
    yield (
        "network by its fidelity on the selection split, to which nothing was fitted and which is "
        "not reported: the"
    )
    yield (
        "smallest of the highest fidelity where there is a true language, the smallest within half "
        "a point of it on"
    )
    yield (
        "text. The other criteria pick from the same automata of the same networks; the last looks "
        "at the split that"
    )
    yield "the automata were read off. Figures are means over networks, with 95 % intervals."
    for config, (title, changes, used) in RUNS.items():
        name = f"choice-{config}"
        report_of(config, f"name={name}", *changes)
        networks = look_up(name).artifacts.networks
        yield from ("", f"## {title}: {len(networks)} networks of `configs/{config}.yaml`", "")
        yield "| criterion | states | fidelity on test | accuracy on test | exact |"
        yield "| --- | --- | --- | --- | --- |"
        evaluations = [(network, read_evaluations(network)) for network in networks]
        for criterion in CRITERIA:
            picked = pd.concat([_pick(network, rows, criterion) for network, rows in evaluations])
            figures = (Interval.of(picked[column].tolist()) for column in ("fidelity", "accuracy"))
            exact = (
                "–"
                if picked["exact"].isna().all()
                else f"{int(picked['exact'].sum())} of {len(picked)}"
            )
            label = f"**{criterion}**" if criterion == used else criterion
            yield (
                f"| {label} | {picked['n_states'].mean():.1f} | {' | '.join(map(str, figures))} | "
                f"{exact} |"
            )


def _pick(network: NetworkArtifacts, evaluations: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """The automaton that a criterion picks, on the test set."""
    column, split, tolerance = CRITERIA[criterion]
    deciding = evaluations[evaluations["test_set"] == split]
    deciding = deciding.assign(fidelity=deciding[column], test_set=SELECTION)
    reported = evaluations[evaluations["test_set"] != SELECTION]
    rows = choose(
        pd.concat([deciding, reported]), tolerance=tolerance, most_states=network.most_states
    )
    return rows[rows["selected"] & (rows["test_set"] == "test")]


if __name__ == "__main__":
    main()
