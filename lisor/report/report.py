"""What a run found, as files: the page, its tables and pictures, and the automata as JSON, DOT and SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lisor.data.dataset import Dataset
from lisor.fsa.weighted import WeightedAutomaton
from lisor.report import drawing, figures, framework, page, tables
from lisor.report.findings import Findings
from lisor.report.language_section import language_blocks
from lisor.report.text_section import text_blocks
from lisor.rnn.training import LEARNED

REPORT = "report.html"

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


def write(
    folder: Path, title: str, results: pd.DataFrame, datasets: Mapping[str, Dataset], networks: Sequence[Findings]
) -> None:
    """Write `report.html`, its tables/ as CSV and figures/ as SVG, and automata/ with every chosen one and in selected/
    the one that stands for each network."""
    for name in ("figures", "tables", "automata/selected"):
        (folder / name).mkdir(parents=True)
    own = results[results["k"].notna()].astype({"k": int})
    sections = [_overview(own)]
    for name, dataset in datasets.items():
        rows = own[own["dataset"] == name]
        members = [network for network in networks if network.dataset == name]
        peers = results[(results["dataset"] == name) & results["k"].isna()]
        selected = _write_automata(folder, rows, members)
        sections.append(_section(rows, peers, dataset, members, selected))
    sections.append(_cost(own))
    for section in sections:
        for picture in section.pictures():
            (folder / "figures" / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
        for table in section.tables():
            (folder / "tables" / f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8")
    introduction = (
        "Recurrent networks were trained, their hidden states clustered, and finite state automata read off the "
        "clusters (LISOR; Hou & Zhou, 2020). Everything was chosen on a selection split that nothing was fitted to."
    )
    (folder / REPORT).write_text(page.render(title, introduction, sections), encoding="utf-8")


def _overview(results: pd.DataFrame) -> page.Section:
    method = page.Picture(
        name="framework",
        title="How an automaton is read off a network",
        caption="Sequences leave hidden states behind in a trained network; clusters of hidden states become the "
        "states of an automaton, and the symbols that led from one cluster to another its transitions.",
        svg=framework.draw(),
    )
    summary = page.Table(
        name="summary",
        title="The selected automaton of each network",
        caption="On the test set: mean over trials with its 95 % interval. Accuracy is agreement with the truth, "
        "fidelity agreement with the network.",
        headings=tables.SummaryRow.HEADINGS,
        rows=tuple(row.cells() for row in tables.summarize(results)),
    )
    return page.Section(title="Overview", introduction="What was done, and what came out.", blocks=(method, summary))


def _section(
    rows: pd.DataFrame,
    peers: pd.DataFrame,
    dataset: Dataset,
    networks: Sequence[Findings],
    selected: tuple[page.Picture, ...],
) -> page.Section:
    name = networks[0].name
    histories: dict[str, list[Mapping[str, Sequence[float]]]] = {}
    for network in networks:
        histories.setdefault(network.cell, []).append(network.history)
    training = page.Picture(
        name=f"{name}-training",
        title="Training",
        caption="How the networks got there: one line for each trial.",
        svg=figures.training_curves(histories),
    )
    quality = page.Picture(
        name=f"{name}-quality",
        title="Quality against the number of clusters",
        caption="Agreement of the automata with the truth (accuracy) and with their network (fidelity) on the test "
        "set. Lines are means over trials, bands run from the worst to the best, green ticks are the chosen k.",
        svg=figures.quality_against_k(rows),
    )
    of_this_kind = text_blocks if dataset.is_text else language_blocks
    by_majority = rows[rows["rule"] == "majority"]
    automata = page.Gallery(
        title="The selected automata",
        caption="The automaton that stands for each network, chosen on the selection split. Those with too many "
        "arrows to be read are not shown here; all are in automata/selected/.",
        pictures=selected,
        wide=dataset.is_text,
    )
    sizes = ", ".join(f"{len(split):,} {split_name}" for split_name, split in dataset.splits.items())
    kind = "texts" if dataset.is_text else "words"
    return page.Section(
        title=networks[0].dataset,
        introduction=f"Labelled {kind} over {len(dataset.vocabulary):,} symbols with the classes "
        f"{', '.join(dataset.classes)}: {sizes}.",
        notes=(*dataset.notes, *_short_grids(rows), *([] if dataset.is_text else _gate(rows, networks))),
        blocks=(
            training,
            *_planes(rows, name, dataset, networks),
            *(of_this_kind(by_majority, name, dataset, networks) if len(by_majority) else ()),
            quality,
            *([_peers_table(rows, peers, name, networks)] if len(peers) else []),
            _chosen_table(rows, name),
            *_unseen_table(rows, name),
            *_searches_table(rows, name, networks),
            automata,
        ),
    )


def _planes(rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]) -> Iterator[page.Picture]:
    """Figure 1 of Hou & Zhou (2020), clustered as the selected automaton is."""
    shown = []
    for network in networks:
        if network.plane is None:
            continue
        mine = (rows["cell"] == network.cell) & (rows["trial"] == network.trial) & rows["selected"]
        method, k = rows.loc[mine, ["method", "k"]].iloc[0]
        labels = network.clustering(str(method), int(k)).labels[network.plane.rows]
        shown.append(
            figures.ClusteredPlane(f"{network.cell}, k = {k}", network.plane, np.unique(labels, return_inverse=True)[1])
        )
    if shown:
        yield page.Picture(
            name=f"{name}-hidden-states",
            title="Hidden states in the plane",
            caption="Hidden states of the first network of each cell, put into the plane by t-SNE, which keeps near "
            "states near: they gather in clusters, and a cluster mostly holds states of one answer.",
            svg=figures.hidden_states_in_the_plane(shown, dataset.classes),
        )


def _cost(results: pd.DataFrame) -> page.Section:
    cost = page.Picture(
        name="accuracy-against-states",
        title="Accuracy against the number of states",
        caption="The best accuracy on the test set among deterministic automata of at most so many states, mean over "
        "trials; dotted, the network's own. The best is picked on the test set, so this shows what is there, not "
        "what was chosen.",
        svg=figures.accuracy_against_states(results),
    )
    return page.Section(
        title="What does being readable cost?",
        introduction="An automaton is read, drawn and checked; its network is not.",
        blocks=(cost,),
    )


def _write_automata(folder: Path, rows: pd.DataFrame, networks: Sequence[Findings]) -> tuple[page.Picture, ...]:
    """Write the chosen and selected automata of each network; the pictures of the selected ones."""
    pictures = []
    for network in networks:
        mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial) & (rows["test_set"] == "test")]
        for _, row in mine[mine["chosen"] | mine["selected"]].iterrows():
            found = network.extraction(row["method"], row["rule"], int(row["k"]))
            stem = f"{network.label}-{found.method}-{found.rule}-k{found.k}"
            if isinstance(found.machine, WeightedAutomaton):
                found.machine.write(folder / "automata" / f"{stem}.npz")
                continue
            dot = drawing.to_dot(found.automaton, found.seen)
            svg = drawing.render(dot)
            names = [stem] if row["chosen"] else []
            if row["selected"]:
                names.append(f"selected/{network.label}")
                if dot.count(" -> ") <= drawing.MOST_EDGES:
                    pictures.append(_picture(network, row, svg))
            for name in names:
                for ending, text in {"json": found.automaton.to_json(), "dot": dot, "svg": svg}.items():
                    (folder / "automata" / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return tuple(pictures)


def _picture(network: Findings, row: pd.Series, svg: str) -> page.Picture:
    exact = {True: " It is exactly the language.", False: " It is not exactly the language."}.get(row["exact"], "")
    return page.Picture(
        name=f"{network.label}-selected",
        title=f"{network.cell}, trial {network.trial}",
        caption=f"{row['n_states']} states ({row['n_states_minimal']} when minimal), accuracy {row['accuracy']:.3f}, "
        f"fidelity {row['fidelity']:.3f}.{exact}",
        svg=svg,
    )


def _peers_table(rows: pd.DataFrame, peers: pd.DataFrame, name: str, networks: Sequence[Findings]) -> page.Table:
    """What other learners made of the same networks, beside the selected automaton."""
    sets = [name for name in PEER_SETS if name in set(rows["test_set"])]
    lines = []
    for network in networks:
        mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial)]
        others = peers[(peers["cell"] == network.cell) & (peers["trial"] == network.trial)]
        if not len(others) and not network.unfinished:
            continue
        grid = mine.drop_duplicates(["method", "rule", "k"])["seconds"].sum()
        lines.append(_peer_line(network, "selected here", mine[mine["selected"]], sets, float(grid)))
        for method, learned in others.groupby("method", sort=False):
            late = " (out of time)" if method in network.unfinished else ""
            lines.append(_peer_line(network, f"{method}{late}", learned, sets, float(learned["seconds"].iloc[0])))
        nothing = [method for method in network.unfinished if method not in set(others["method"])]
        lines += [
            (network.cell, f"{method} (out of time, nothing found)", *["–"] * (4 + len(sets))) for method in nothing
        ]
    return page.Table(
        name=f"{name}-peers",
        title="Beside other learners",
        caption="What AALpy's L*, KV and RPNI make of the first network of each cell, and the automaton selected "
        "here: its accuracy on test sets, and the seconds it took from the trained network, the whole grid of k "
        "counted.",
        headings=("cell", "learner", "states", "minimal", "exact", *sets, "seconds"),
        rows=tuple(lines),
    )


def _peer_line(
    network: Findings, learner: str, found: pd.DataFrame, sets: Sequence[str], seconds: float
) -> tuple[str, ...]:
    first, accuracy = found.iloc[0], found.set_index("test_set")["accuracy"]
    shown = [_text(first[column]) for column in ("n_states", "n_states_minimal", "exact")]
    return (network.cell, learner, *shown, *(f"{accuracy[name]:.3f}" for name in sets), f"{seconds:.2f}")


def _chosen_table(rows: pd.DataFrame, name: str) -> page.Table:
    chosen = rows[rows["chosen"] & (rows["test_set"] == "test")]
    return page.Table(
        name=f"{name}-chosen",
        title="The chosen automata",
        caption="The chosen automaton of each network, method and rule, on the test set.",
        headings=tuple(_CHOSEN.values()),
        rows=tuple(tuple(_text(row[column]) for column in _CHOSEN) for _, row in chosen.iterrows()),
    )


def _unseen_table(rows: pd.DataFrame, name: str) -> Iterator[page.Table]:
    """The selected automata on test sequences that training had, and on those that it had not."""
    selected = rows[rows["selected"]]
    unseen = selected[selected["test_set"] == "unseen"]
    whole = selected[selected["test_set"] == "test"].set_index(["cell", "trial"])
    if len(unseen):
        yield page.Table(
            name=f"{name}-unseen",
            title="Sequences that training did not have",
            caption="Many test sequences occur in training too. The selected automata on all of them, and on those "
            f"{unseen['n'].iloc[0]:,} of {whole['n'].iloc[0]:,} that do not.",
            headings=(
                "cell",
                "trial",
                "states",
                "network, all",
                "all",
                "network, unseen",
                "unseen",
                "fidelity, unseen",
            ),
            rows=tuple(
                tuple(
                    map(
                        _text,
                        (
                            *row[["cell", "trial", "n_states"]],
                            *whole.loc[(row["cell"], row["trial"]), ["rnn_accuracy", "accuracy"]],
                            *row[["rnn_accuracy", "accuracy", "fidelity"]],
                        ),
                    )
                )
                for _, row in unseen.iterrows()
            ),
        )


def _searches_table(rows: pd.DataFrame, name: str, networks: Sequence[Findings]) -> Iterator[page.Table]:
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
            f"{search['seconds_to_last']:.2f}",
            f"{search['seconds']:.2f}",
            "no difference left" if search["complete"] else "out of states or time",
        )
        for network in networks
        for search in network.searches
        if (network.cell, network.trial, search["method"], search["k"]) in asked
    )
    if lines:
        yield page.Table(
            name=f"{name}-refined",
            title="The search for differences",
            caption="How the chosen refined automata were found: on how many words automaton and network were "
            "compared, after how many of them and how many seconds they last differed, and how the search ended.",
            headings=("cell", "trial", "method", "from k", "words", "last difference", "after s", "seconds", "end"),
            rows=lines,
        )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _gate(rows: pd.DataFrame, networks: Sequence[Findings]) -> Iterator[str]:
    """A note for each network that has not learned its language, and how many were trained anew."""
    for network in networks:
        mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial)]
        accuracy = float(mine.loc[mine["test_set"] == "validation", "rnn_accuracy"].iloc[0])
        if accuracy < LEARNED:
            yield (
                f"{network.cell}, trial {network.trial}: the network has not learned the language (validation accuracy "
                f"{accuracy:.3f}, under {LEARNED}), so its automata explain something else."
            )
    anew = [f"{network.cell}-{network.trial} ({network.restarts})" for network in networks if network.restarts]
    if anew:
        yield f"Networks that are not of the first attempt, and how often training was begun anew: {', '.join(anew)}."


def _short_grids(rows: pd.DataFrame) -> list[str]:
    """A note for each network whose grid of k ended before that of others, for want of distinct hidden states."""
    last = rows.groupby(["cell", "trial"], sort=False)["k"].max()
    return [
        f"{cell}, trial {trial}: the grid of k ends at {k}, the number of distinct hidden states."
        for (cell, trial), k in last.items()
        if k < last.max()
    ]
