"""The blocks of the report on anomalies: how well they are detected, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from lisor.anomalies.detections import of_automaton
from lisor.anomalies.detector import Detector
from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset
from lisor.report import figures
from lisor.report.findings import Findings
from lisor.report.page import Picture, Table

MAX_ALARMS = 10
"""Alarms on anomalies that are shown, and on normal sequences."""

HEADINGS = (
    "cell",
    "trial",
    "detector",
    "states",
    "score",
    "test set",
    "precision",
    "recall",
    "F1",
    "false alarms",
)

_RATES = ("precision", "recall", "f1", "false_alarms")


def detections_of(network: Findings, rows: pd.DataFrame) -> pd.DataFrame:
    """The detections by the automaton of a network that is selected among the `rows` of results;
    none where it detects no anomalies."""
    table = network.detections
    if table is None:
        return pd.DataFrame()
    return of_automaton(table, network.rows(rows[rows["selected"]]).iloc[0])


def detectors(network: Findings, rows: pd.DataFrame, automaton: Automaton) -> Iterator[Detector]:
    """A detector by each score, of the selected automaton of a network."""
    for row in detections_of(network, rows).to_dict("records"):
        if row["test_set"] == "test":
            yield Detector(
                automaton=automaton,
                score=row["score"],
                threshold=row["threshold"],
                false_alarms=row["allowed"],
            )


def anomaly_blocks(
    rows: pd.DataFrame,
    name: str,
    dataset: Dataset,
    networks: Sequence[Findings],
    selected: Callable[[Findings], Automaton],
) -> Iterator[Table | Picture]:
    """How well networks, selected automata and n-grams detect anomalies, F1 against the number of
    states, and alarms of the first network's automaton with their reasons."""
    tables = [
        (network, network.detections) for network in networks if network.detections is not None
    ]
    if not tables:
        return
    yield _rates(rows, name, tables)
    yield Picture(
        name=f"{name}-f1-against-states",
        title="F1 against the number of states",
        caption="Each automaton of every network on the test set, a panel for each score; dotted, "
        "the networks. Green rings are the selected automata, which were chosen by how they agree "
        "with their network on normal sequences, without a look at anomalies.",
        svg=figures.f1_against_states(
            pd.concat([table[table["test_set"] == "test"] for _, table in tables]),
            pd.concat([detections_of(network, rows) for network, _ in tables]),
        ),
    )
    first, _ = tables[0]
    yield from _alarms(name, dataset, detectors(first, rows, selected(first)))


def _rates(rows: pd.DataFrame, name: str, tables: Sequence[tuple[Findings, pd.DataFrame]]) -> Table:
    lines: list[tuple[str, ...]] = []
    for network, table in tables:
        shown = pd.concat([table[table["k"].isna()], detections_of(network, rows)])
        for row in shown.to_dict("records"):
            is_automaton = pd.notna(row["k"])
            detector = f"{row['detector']}, {row['rule']}" if is_automaton else row["detector"]
            lines.append(
                (
                    network.cell,
                    str(network.trial),
                    detector,
                    str(row["n_states"]) if is_automaton else "–",
                    row["score"],
                    row["test_set"],
                    *("–" if np.isnan(row[rate]) else f"{row[rate]:.3f}" for rate in _RATES),
                )
            )
    allowed = tables[0][1]["allowed"].iloc[0]
    return Table(
        name=f"{name}-anomalies",
        title="Anomalies",
        caption="Networks, their selected automata and n-grams as detectors of anomalies: trained "
        "on normal sequences alone; the threshold of each score is set so that at most "
        f"{allowed:.3g} of the normal sequences of the selection split have an alarm. Precision: "
        "the share of alarms that are anomalies; recall: that of anomalies with an alarm; false "
        "alarms: that of normal sequences with one. The test set unseen has no sequence of "
        "training.",
        headings=HEADINGS,
        rows=tuple(lines),
    )


def _alarms(name: str, dataset: Dataset, kinds: Iterator[Detector]) -> Iterator[Table]:
    """The first alarms of each detector on anomalies and on normal sequences of the test set."""
    test = dataset.splits["test"]
    if test.anomalous is None:
        return
    for detector in kinds:
        shown: dict[bool, list[tuple[str, ...]]] = {True: [], False: []}
        for alarm in detector.alarms(test.sequences):
            is_anomaly = bool(test.anomalous[alarm.sequence])
            if len(shown[is_anomaly]) < MAX_ALARMS:
                shown[is_anomaly].append(
                    (
                        str(alarm.sequence + 1),
                        "anomaly" if is_anomaly else "normal",
                        str(alarm.step),
                        str(alarm.state),
                        alarm.expectation,
                        alarm.came,
                        f"{alarm.probability:.2g}",
                    )
                )
        yield Table(
            name=f"{name}-alarms-{detector.score}",
            title=f"Alarms, by {detector.score}",
            caption=f"An alarm of the first network's automaton: {detector.condition}. The first "
            f"{MAX_ALARMS} on anomalies of the test set and the first {MAX_ALARMS} on normal "
            "sequences: the step, the state before it, the most likely events there, and the one "
            "that came.",
            headings=("sequence", "label", "step", "state", "expected", "came", "probability"),
            rows=(*shown[True], *shown[False]),
        )
