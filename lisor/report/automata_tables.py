"""Tables of the automata of a dataset: the chosen ones, other learners, sequences that are not in
training, and searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from lisor.evaluation.measures import CLASSES, DISTRIBUTIONS, measures_of
from lisor.report import page
from lisor.report.findings import Findings

PEER_SETS = ("test", "short-near-miss", "long-random", "long-near-miss")
"""The test sets on which other learners are shown."""

_CHOSEN = {
    "cell": "cell",
    "trial": "trial",
    "method": "method",
    "rule": "rule",
    "k": "k",
    "n_states": "states",
    "n_states_minimal": "minimal",
    "unseen_transitions": "unseen steps",
    "selected": "selected",
}
"""Columns of the table of chosen automata beside their measures, and how they are headed."""

_UNSEEN = (
    "cell",
    "trial",
    "states",
    "network, all",
    "all",
    "network, unseen",
    "unseen",
)


def peers_table(
    rows: pd.DataFrame, peers: pd.DataFrame, name: str, networks: Sequence[Findings]
) -> page.Table:
    """The automata of other learners beside the selected one, for the same networks."""
    sets = [name for name in PEER_SETS if name in set(rows["test_set"])]
    lines = []
    for network in networks:
        others = network.rows(peers)
        if not len(others) and not network.unfinished:
            continue
        selected = network.rows(rows[rows["selected"]])
        lines.append(
            _peer_line(network, "selected here", selected, sets, _steps_of(network, selected))
        )
        for method, learned in others.groupby("method", sort=False):
            early = f" ({network.unfinished[str(method)]})" if method in network.unfinished else ""
            steps = network.learned_steps.get(str(method))
            lines.append(_peer_line(network, f"{method}{early}", learned, sets, steps))
        lines += [
            (
                network.cell,
                f"{method} ({network.unfinished[method]}, nothing found)",
                *["–"] * (4 + len(sets)),
            )
            for method in network.unfinished
            if method not in set(others["method"])
        ]
    return page.Table(
        name=f"{name}-peers",
        title="Comparison with other learners",
        caption="The automata of AALpy's L*, KV and RPNI for the first network of each cell, and "
        "the automaton selected here: the accuracy on test sets, and how many symbols the network "
        "read in a search.",
        headings=("cell", "learner", "states", "minimal", "exact", *sets, "steps"),
        rows=tuple(lines),
    )


def _peer_line(
    network: Findings, learner: str, learned: pd.DataFrame, sets: Sequence[str], steps: int | None
) -> tuple[str, ...]:
    first, accuracy = learned.iloc[0], learned.set_index("test_set")["accuracy"]
    shown = [_text(first[column]) for column in ("n_states", "n_states_minimal", "exact")]
    on_sets = [f"{accuracy[name]:.3f}" for name in sets]
    return (network.cell, learner, *shown, *on_sets, "–" if steps is None else f"{steps:,}")


def _steps_of(network: Findings, selected: pd.DataFrame) -> int | None:
    """How many symbols the network read in the search for an automaton; None without one."""
    first = selected.iloc[0]
    search = network.searches.get((first["method"], first["rule"], first["k"]))
    return None if search is None else search.steps


def chosen_table(rows: pd.DataFrame, name: str) -> page.Table:
    """The chosen automata, one for each network, method and rule, on the test set."""
    chosen = rows[rows["chosen"] & (rows["test_set"] == "test")]
    measures = measures_of(chosen["target"].iloc[0])
    network, automaton, agreement = measures.columns
    figures = {
        network: "network",
        automaton: measures.automaton_name,
        agreement: measures.agreement_name,
    }
    more = {"exact": "exact"} if measures is CLASSES else {}
    if measures is DISTRIBUTIONS:
        more = {"divergence": "divergence"}
    columns = _CHOSEN | figures | more
    return page.Table(
        name=f"{name}-chosen",
        title="The chosen automata",
        caption="The chosen automaton of each network, method and rule, on the test set.",
        headings=tuple(columns.values()),
        rows=tuple(tuple(_text(row[column]) for column in columns) for _, row in chosen.iterrows()),
    )


def unseen_table(rows: pd.DataFrame, name: str, position: str) -> Iterator[page.Table]:
    """The selected automata on all test sequences, and on those that are not in training; figures
    count each `position`."""
    selected = rows[rows["selected"]].set_index(["cell", "trial"])
    whole, unseen = (selected[selected["test_set"] == name] for name in ("test", "unseen"))
    if not len(unseen):
        return
    measures = measures_of(unseen["target"].iloc[0])
    of_steps = "" if position == "sequence" else f"{position}s of the "
    lines = []
    for (cell, trial), row in unseen.iterrows():
        on_all = whole.loc[(cell, trial), [measures.network, measures.automaton]]
        figures = (*on_all, *row[list(measures.columns)])
        lines.append(tuple(map(_text, (cell, trial, row["n_states"], *figures))))
    yield page.Table(
        name=f"{name}-unseen",
        title="Sequences that are not in training",
        caption="Many test sequences occur in training too. The selected automata on all of them, "
        f"and on those that do not: {unseen['n'].iloc[0]:,} of {whole['n'].iloc[0]:,} {of_steps}"
        "sequences.",
        headings=(*_UNSEEN, f"{measures.agreement_name}, unseen"),
        rows=tuple(lines),
    )


def searches_table(
    rows: pd.DataFrame, name: str, networks: Sequence[Findings]
) -> Iterator[page.Table]:
    """The searches for the chosen automata that ended when no difference from the network was
    left: how long they were, and when automaton and network last differed."""
    identity = ["cell", "trial", "method", "rule", "k"]
    chosen = set(rows.loc[rows["chosen"], identity].itertuples(index=False, name=None))
    lines = tuple(
        (
            network.cell,
            str(network.trial),
            method,
            str(k),
            f"{search.tests:,}",
            f"{search.last_difference:,}",
            f"{search.steps_to_last:,}",
            f"{search.steps:,}",
            "no difference left" if search.complete else "out of states or steps",
        )
        for network in networks
        for (method, rule, k), search in network.searches.items()
        if search.tests is not None and (network.cell, network.trial, method, rule, k) in chosen
    )
    if lines:
        yield page.Table(
            name=f"{name}-refined",
            title="The search for differences",
            caption="The searches for the chosen refined automata: on how many words automaton "
            "and network were compared, after how many words and steps (symbols read) they last "
            "differed, and how the search ended.",
            headings=(
                "cell",
                "trial",
                "method",
                "from k",
                "words",
                "last difference",
                "after steps",
                "steps",
                "end",
            ),
            rows=lines,
        )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)
