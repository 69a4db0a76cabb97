"""Tables of the automata of a data set: the chosen ones, beside other learners and on sequences that training did not
have, and how they were searched for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

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
    "rnn_accuracy": "network",
    "accuracy": "accuracy",
    "fidelity": "fidelity",
    "unseen_transitions": "unseen steps",
    "exact": "exact",
    "selected": "selected",
}
"""Columns of the table of chosen automata and how they are headed."""

_SEARCH = ("method", "rule", "k")
"""What names a search among those of a network."""

_UNSEEN = ("cell", "trial", "states", "network, all", "all", "network, unseen", "unseen", "fidelity, unseen")


def peers_table(rows: pd.DataFrame, peers: pd.DataFrame, name: str, networks: Sequence[Findings]) -> page.Table:
    """What other learners made of the same networks, beside the selected automaton."""
    sets = [name for name in PEER_SETS if name in set(rows["test_set"])]
    lines = []
    for network in networks:
        mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial)]
        others = peers[(peers["cell"] == network.cell) & (peers["trial"] == network.trial)]
        if not len(others) and not network.unfinished:
            continue
        selected = mine[mine["selected"]]
        lines.append(_peer_line(network, "selected here", selected, sets, _steps_of(network, selected)))
        for method, learned in others.groupby("method", sort=False):
            early = f" ({network.unfinished[str(method)]})" if method in network.unfinished else ""
            steps = network.learned_steps.get(str(method))
            lines.append(_peer_line(network, f"{method}{early}", learned, sets, steps))
        nothing = [method for method in network.unfinished if method not in set(others["method"])]
        lines += [
            (network.cell, f"{method} ({network.unfinished[method]}, nothing found)", *["–"] * (4 + len(sets)))
            for method in nothing
        ]
    return page.Table(
        name=f"{name}-peers",
        title="Beside other learners",
        caption="What AALpy's L*, KV and RPNI make of the first network of each cell, and the automaton selected "
        "here: its accuracy on test sets, and how many symbols the network read for it, where it was searched for.",
        headings=("cell", "learner", "states", "minimal", "exact", *sets, "steps"),
        rows=tuple(lines),
    )


def _peer_line(
    network: Findings, learner: str, found: pd.DataFrame, sets: Sequence[str], steps: int | None
) -> tuple[str, ...]:
    first, accuracy = found.iloc[0], found.set_index("test_set")["accuracy"]
    shown = [_text(first[column]) for column in ("n_states", "n_states_minimal", "exact")]
    on_sets = [f"{accuracy[name]:.3f}" for name in sets]
    return (network.cell, learner, *shown, *on_sets, "–" if steps is None else f"{steps:,}")


def _steps_of(network: Findings, selected: pd.DataFrame) -> int | None:
    """How many symbols the network read for an automaton that was searched for."""
    first = selected.iloc[0]
    name = (first["method"], first["rule"], first["k"])
    found = [search["steps"] for search in network.searches if name == tuple(search[part] for part in _SEARCH)]
    return int(found[0]) if found else None


def chosen_table(rows: pd.DataFrame, name: str) -> page.Table:
    """The chosen automata, one for each network, method and rule, on the test set."""
    chosen = rows[rows["chosen"] & (rows["test_set"] == "test")]
    return page.Table(
        name=f"{name}-chosen",
        title="The chosen automata",
        caption="The chosen automaton of each network, method and rule, on the test set.",
        headings=tuple(_CHOSEN.values()),
        rows=tuple(tuple(_text(row[column]) for column in _CHOSEN) for _, row in chosen.iterrows()),
    )


def unseen_table(rows: pd.DataFrame, name: str) -> Iterator[page.Table]:
    """The selected automata on test sequences that training had, and on those that it had not."""
    selected = rows[rows["selected"]].set_index(["cell", "trial"])
    whole, unseen = (selected[selected["test_set"] == name] for name in ("test", "unseen"))
    if not len(unseen):
        return
    lines = []
    for (cell, trial), row in unseen.iterrows():
        on_all = whole.loc[(cell, trial), ["rnn_accuracy", "accuracy"]]
        figures = (*on_all, *row[["rnn_accuracy", "accuracy", "fidelity"]])
        lines.append(tuple(map(_text, (cell, trial, row["n_states"], *figures))))
    yield page.Table(
        name=f"{name}-unseen",
        title="Sequences that training did not have",
        caption="Many test sequences occur in training too. The selected automata on all of them, and on those "
        f"{unseen['n'].iloc[0]:,} of {whole['n'].iloc[0]:,} that do not.",
        headings=_UNSEEN,
        rows=tuple(lines),
    )


def searches_table(rows: pd.DataFrame, name: str, networks: Sequence[Findings]) -> Iterator[page.Table]:
    """How long refined automata were tested, and when they last differed from their network."""
    refined = rows[rows["chosen"] & (rows["rule"] == "refined")].drop_duplicates(["cell", "trial", "method", "k"])
    asked = set(zip(refined["cell"], refined["trial"], refined["method"], refined["k"], strict=True))
    lines = tuple(
        (
            network.cell,
            str(network.trial),
            search["method"],
            str(search["k"]),
            f"{search['tests']:,}",
            f"{search['last_difference']:,}",
            f"{search['steps_to_last']:,}",
            f"{search['steps']:,}",
            "no difference left" if search["complete"] else "out of states or steps",
        )
        for network in networks
        for search in network.searches
        if search["rule"] == "refined" and (network.cell, network.trial, search["method"], search["k"]) in asked
    )
    if lines:
        yield page.Table(
            name=f"{name}-refined",
            title="The search for differences",
            caption="How the chosen refined automata were found: on how many words automaton and network were "
            "compared, after how many of them they last differed, after how many steps of the network (symbols read), "
            "and how the search ended.",
            headings=("cell", "trial", "method", "from k", "words", "last difference", "after steps", "steps", "end"),
            rows=lines,
        )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)
