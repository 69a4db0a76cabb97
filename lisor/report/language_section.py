"""The blocks of the report on a language: figures 1, 3 and 4 and tables 2 and 3 of Hou & Zhou
(2020), and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from lisor.automata import drawing
from lisor.data.dataset import Dataset
from lisor.registry import PAPER_RULE
from lisor.report import tables
from lisor.report.claims import check_claims
from lisor.report.findings import Findings
from lisor.report.page import Gallery, Picture, Table

GOALS = {"0110": (1.0,), "000": (0.7, 1.0)}
"""The accuracies at which n_c is counted: the first is the paper's."""

OTHER_GOALS = (1.0,)


def language_blocks(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[Table | Gallery]:
    """Tables of n_c, the paper's claims put to the test, and the automata at n_c."""
    goals = GOALS.get(name, OTHER_GOALS)
    for goal in goals:
        numbers = tables.clusters_to_reach(rows, goal)
        yield _reach_table(rows, numbers, name, goal)
        yield from _claims_table(numbers, name, goal)
    yield _automata(rows, name, goals[0], dataset, networks)


def _reach_table(rows: pd.DataFrame, numbers: pd.DataFrame, name: str, goal: float) -> Table:
    """Tables 2 and 3 of the paper, and what it does not give."""
    reached = tables.at_clusters(rows, numbers).set_index(["method", "cell", "trial"])
    missing = tables.not_reached(rows)
    smallest = (numbers == numbers.groupby(level="method").transform("min")) & (numbers < missing)
    means = numbers.mean(axis=1)
    best = (means == means.groupby(level="method").transform("min")) & (means < missing)
    texts, bold = [], set()
    for row, (index, trials) in enumerate(numbers.iterrows()):
        at_reach = reached.loc[[key for key in reached.index if key[:2] == index]]
        minimal = ", ".join(
            str(at_reach["n_states_minimal"].get((*index, trial), "–")) for trial in numbers.columns
        )
        known = trials.dropna()
        exact = f"{int(at_reach['exact'].astype(bool).sum())} of {len(known)}"
        interval = tables.Interval.of(known.tolist())
        mean = f"{interval:.1f}" if (known < missing).all() else f"≥ {interval.mean:.1f}"
        shown = (
            "–" if pd.isna(number) else str(int(number)) if number < missing else f"> {missing - 1}"
            for number in trials
        )
        texts.append((*index, *shown, mean, minimal, exact))
        bold |= {(row, 2 + column) for column, is_best in enumerate(smallest.loc[index]) if is_best}
        bold |= {(row, 2 + len(trials))} if best[index] else set()
    return Table(
        name=f"{name}-clusters-to-reach-{goal}",
        title=f"Clusters needed for accuracy {goal} (n_c)",
        caption="The smallest number of clusters at which the automaton's accuracy on the test "
        f"set first reaches {goal}, in each trial; > {missing - 1} means that no k of the grid "
        f"does, which counts as {missing} in a mean that is then a lower bound (≥), – that there "
        "is no such network. The smallest of a method is bold. Beside the mean stands its 95 % "
        "interval, then the states left of those automata when minimised, and how many are "
        "exactly the language.",
        headings=(
            "method",
            "cell",
            *(f"trial {trial}" for trial in numbers.columns),
            "mean",
            "minimal states",
            "exact",
        ),
        rows=tuple(texts),
        bold=frozenset(bold),
    )


def _claims_table(numbers: pd.DataFrame, name: str, goal: float) -> Iterator[Table]:
    checked = {
        method: check_claims(rows.droplevel("method"))
        for method, rows in numbers.groupby(level="method", sort=False)
    }
    texts = tuple(
        (str(method), claim.text, f"{claim.difference:.1f}", f"{claim.p_value:.3f}", claim.verdict)
        for method, claims in checked.items()
        for claim in claims
    )
    if texts:
        yield Table(
            name=f"{name}-claims-{goal}",
            title="The paper's claims about the cells",
            caption="How many clusters more the second side of each claim needed, over trials "
            "paired by their seed and data: mean and 95 % interval, where accuracy was not "
            "reached with one more than the largest k. A claim is supported where "
            "the whole interval lies above 0. p is that of the sign-flip test, which for "
            f"{numbers.shape[1]} trials cannot fall below {2 ** (1 - numbers.shape[1]):.3f}.",
            headings=("method", "claim", "difference in n_c", "p", "verdict"),
            rows=texts,
        )


def _automata(
    rows: pd.DataFrame, name: str, goal: float, dataset: Dataset, networks: Sequence[Findings]
) -> Gallery:
    """Figures 3 and 4 of the paper: the automaton at n_c of each cell's first trial, by each
    method."""
    numbers, missing = tables.clusters_to_reach(rows, goal), tables.not_reached(rows)
    path = shortest_member(dataset)
    pictures = []
    for method, cell in numbers.index:
        network = next(network for network in networks if network.cell == cell)
        k = numbers.loc[(method, cell), network.trial]
        if pd.isna(k) or k == missing:
            continue
        k = int(k)
        extraction = network.extraction(method, PAPER_RULE, k)
        svg = drawing.render(
            drawing.kept_to_dot(extraction.deterministic, extraction.seen, k + 1, path)
        )
        pictures.append(
            Picture(
                name=f"{network.label}-{method}-reaches-{goal}",
                title=f"{cell}, {method}, n_c = {k}",
                caption=f"Trial {network.trial}; state 0 is the start, the others are the {k} "
                "clusters.",
                svg=svg,
            )
        )
    word = "".join(path) or "the empty word"
    return Gallery(
        title=f"The automata at accuracy {goal}",
        caption=f"Red is the path of {word}. Dashed boxes hold the states that no kept transition "
        "leads to from the start.",
        pictures=tuple(pictures),
    )


def shortest_member(dataset: Dataset) -> tuple[str, ...]:
    """The shortest word of class 1 that the test set has a label for, of those the first in order
    of the alphabet; else the empty one."""
    test = dataset.splits["test"]
    words, positions, accepted = test.sequences, test.positions, test.labels == 1
    ends = zip(positions.sequence[accepted], positions.read[accepted], strict=True)
    members = [words[row][:read].tolist() for row, read in ends]
    word: list[int] = min(members, key=lambda symbols: (len(symbols), symbols), default=[])
    return tuple(dataset.alphabet[symbol] for symbol in word)
