"""The report of a run, as files: the page, its tables and pictures, and the automata as JSON, DOT
and SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.data.dataset import Dataset
from lisor.evaluation import references
from lisor.evaluation.measures import CLASSES, DISTRIBUTIONS, measures_of
from lisor.networks.training import LEARNED
from lisor.registry import PAPER_RULE, TARGETS
from lisor.report import automata_tables, figures, framework, page, tables
from lisor.report.anomalies_section import anomaly_blocks, detectors
from lisor.report.caveats import caveats
from lisor.report.explain_section import explain_sections
from lisor.report.findings import Findings
from lisor.report.language_section import language_blocks
from lisor.report.next_section import NGramReference, next_table, worse_than_ngrams
from lisor.report.number_section import (
    NumberReference,
    numbers_picture,
    numbers_table,
    worse_than_naive,
)
from lisor.report.series_section import series_blocks
from lisor.report.text_section import text_blocks
from lisor.report.translation_section import translation_blocks

REPORT = "report.html"

Reference = NGramReference | NumberReference | None
"""A simple predictor of what the networks of a dataset predict, other than classes."""
ANOMALIES = "anomalies.parquet"
"""The file of all detections of anomalies."""


def write(
    folder: Path,
    title: str,
    results: pd.DataFrame,
    datasets: Mapping[str, Dataset],
    networks: Sequence[Findings],
    missing: Sequence[str] = (),
) -> list[str]:
    """Write `report.html`, its tables/ as CSV and figures/ as SVG, and automata/ with every chosen
    one and in selected/ the one that stands for each network, with its detectors of anomalies, all
    of which are in `ANOMALIES`. `missing` are notes of what was asked for and is not there. Returns
    what whoever ran it should read first."""
    for name in ("figures", "tables", "automata/selected"):
        (folder / name).mkdir(parents=True)
    automata_rows = results[results["k"].notna()].astype({"k": int})
    is_labelled = not all(TARGETS[data.target].is_distribution for data in datasets.values())
    sections, notes = [_overview(automata_rows, missing, is_labelled)], list[str]()
    for name, dataset in datasets.items():
        rows = automata_rows[automata_rows["dataset"] == name]
        members = [network for network in networks if network.dataset == name]
        peers = results[(results["dataset"] == name) & results["k"].isna()]
        selected = _write_automata(folder, rows, members)
        reference, worse = _reference(rows, dataset, members)
        notes += [f"{name}: {note}" for note in worse]
        _write_detectors(folder, rows, members)
        sections.append(_section(rows, peers, dataset, members, selected, reference, worse))
        sections.extend(explain_sections(dataset, members, partial(_selected, rows)))
    named = automata_rows[automata_rows["accuracy"].notna() & automata_rows["perplexity"].isna()]
    sections += [_cost(named)] if len(named) else []
    detections = [
        network.detections.assign(dataset=network.dataset, cell=network.cell, trial=network.trial)
        for network in networks
        if network.detections is not None
    ]
    if detections:
        pd.concat(detections, ignore_index=True).to_parquet(folder / ANOMALIES, index=False)
    for section in sections:
        for picture in section.pictures():
            (folder / "figures" / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
        for table in section.tables():
            (folder / "tables" / f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8")
    introduction = (
        "Recurrent networks were trained, their hidden states clustered, and finite state "
        "automata read off the clusters (LISOR; Hou & Zhou, 2020). Everything was chosen on a "
        "selection split that nothing was fitted to."
    )
    (folder / REPORT).write_text(page.render(title, introduction, sections), encoding="utf-8")
    return notes


def _reference(
    rows: pd.DataFrame, dataset: Dataset, networks: Sequence[Findings]
) -> tuple[Reference, list[str]]:
    """A simple predictor of what comes next or of numbers, and notes on what is worse."""
    kind = TARGETS[dataset.target]
    if kind.is_distribution:
        ngram = NGramReference.of(dataset)
        return ngram, list(worse_than_ngrams(rows, ngram, networks))
    if kind.is_numeric:
        simple = NumberReference.of(dataset)
        return simple, list(worse_than_naive(rows, simple, networks))
    return None, []


def _overview(results: pd.DataFrame, missing: Sequence[str], is_labelled: bool) -> page.Section:
    method = page.Picture(
        name="framework",
        title="How an automaton is read off a network",
        caption="Sequences leave hidden states behind in a trained network; clusters of hidden "
        "states become the states of an automaton, and the symbols that led from one cluster to "
        "another its transitions.",
        svg=framework.draw(is_labelled=is_labelled),
    )
    summaries = [
        page.Table(
            name=kind.name,
            title="The selected automaton of each network",
            caption=kind.caption,
            headings=kind.headings,
            rows=tuple(row.cells() for row in kind.rows),
        )
        for kind in tables.summaries(results)
    ]
    return page.Section(
        title="Overview",
        introduction="The method and its results.",
        notes=tuple(missing),
        blocks=(method, *summaries),
    )


def _section(
    rows: pd.DataFrame,
    peers: pd.DataFrame,
    dataset: Dataset,
    networks: Sequence[Findings],
    selected: tuple[page.Picture, ...],
    reference: Reference,
    worse: Sequence[str],
) -> page.Section:
    """The section of a dataset; next symbols have an n-gram as `reference`, numbers a simple
    predictor, and there are notes on what is `worse`."""
    name, kind = networks[0].name, TARGETS[dataset.target]
    histories: dict[str, list[Mapping[str, Sequence[float]]]] = {}
    for network in networks:
        if network.history:  # none where it was trained elsewhere
            histories.setdefault(network.cell, []).append(network.history)
    training = []
    if histories:
        training.append(
            page.Picture(
                name=f"{name}-training",
                title="Training",
                caption="How the networks got there: one line for each trial.",
                svg=figures.training_curves(histories, shows_all=not kind.names_classes),
            )
        )
    quality = page.Picture(
        name=f"{name}-quality",
        title="Quality against the number of clusters",
        caption=f"On the test set. {measures_of(dataset.target).caption} Lines are means over "
        "trials, bands run from the worst to the best, green ticks are the chosen k.",
        svg=figures.quality_against_k(rows),
    )
    automata = page.Gallery(
        title="The selected automata",
        caption="The automaton that stands for each network, chosen on the selection split. Those "
        "with too many arrows to be read are not shown here; all are in automata/selected/.",
        pictures=selected,
        wide=dataset.is_text,
    )
    sizes = ", ".join(
        f"{len(split):,} {split_name}" for split_name, split in dataset.splits.items()
    )
    read = "texts" if dataset.is_text else "sequences" if dataset.language is None else "words"
    of_peers = list[page.Table | page.Picture]()
    if isinstance(reference, NumberReference):
        introduction = (
            f"{read.capitalize()} over {len(dataset.alphabet):,} symbols, at each of whose "
            f"{kind.position}s {', '.join(dataset.classes)} is predicted: {sizes}."
        )
        of_peers.append(numbers_table(rows, name, reference, networks))
        of_peers.extend(numbers_picture(rows, name, dataset, networks))
    elif isinstance(reference, NGramReference):
        introduction = (
            f"{read.capitalize()} over {len(dataset.alphabet):,} symbols, without labels: each "
            f"next symbol or the end is predicted. {sizes}."
        )
        of_peers.append(next_table(rows, peers, name, reference, networks))
    else:
        introduction = (
            f"Labelled {read} over {len(dataset.alphabet):,} symbols with the classes "
            f"{', '.join(dataset.classes)}: {sizes}.{_references(dataset)}"
        )
        if len(peers):
            of_peers.append(automata_tables.peers_table(rows, peers, name, networks))
    return page.Section(
        title=networks[0].dataset,
        introduction=introduction,
        notes=(
            *dataset.notes,
            *_short_grids(rows),
            *([] if dataset.language is None else _gate(rows, networks)),
            *worse,
            *caveats(rows, dataset, networks),
        ),
        blocks=(
            *training,
            *_embeddings(rows, name, dataset, networks),
            *_of_its_kind(rows, name, dataset, networks),
            quality,
            *of_peers,
            *anomaly_blocks(rows, name, dataset, networks, partial(_selected, rows)),
            automata_tables.chosen_table(rows, name),
            *automata_tables.unseen_table(rows, name, TARGETS[dataset.target].position),
            *automata_tables.searches_table(rows, name, networks),
            automata,
        ),
    )


def _references(dataset: Dataset) -> str:
    """A sentence on what simple predictors reach where there are several labels a sequence."""
    if TARGETS[dataset.target].predicts_once:
        return ""
    usual, share = references.most_frequent(dataset)
    fitted = references.fitted_split(dataset).replace("train", "training")
    return (
        f" Answering always {usual} is right at {share:.3f} of the test positions, what was "
        f"most frequent in {fitted} after the same symbol at "
        f"{references.by_last_symbol(dataset):.3f}."
    )


def _of_its_kind(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[page.Table | page.Gallery | page.Picture]:
    """What is shown of texts, languages, series and translations alone."""
    by_majority = rows[rows["rule"] == PAPER_RULE]
    if dataset.alphabet.quantizer is not None:
        yield from series_blocks(name, dataset)
    elif dataset.separator is not None:
        yield from translation_blocks(rows, name, dataset, networks)
    elif not TARGETS[dataset.target].names_classes:
        return
    elif len(by_majority) and dataset.is_text:
        yield from text_blocks(by_majority, name, dataset, networks)
    elif len(by_majority) and dataset.language is not None:
        yield from language_blocks(by_majority, name, dataset, networks)


def _embeddings(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[page.Picture]:
    """Figure 1 of Hou & Zhou (2020), clustered as the selected automaton is."""
    shown = []
    for network in networks:
        if network.embedding is None:
            continue
        method, k = network.rows(rows[rows["selected"]])[["method", "k"]].iloc[0]
        labels = network.clustering(str(method), int(k)).labels[network.embedding.rows]
        shown.append(
            figures.ClusteredEmbedding(
                f"{network.cell}, k = {k}",
                network.embedding,
                np.unique(labels, return_inverse=True)[1],
            )
        )
    if shown:
        yield page.Picture(
            name=f"{name}-hidden-states",
            title="Hidden states, embedded by t-SNE",
            caption="Hidden states of the first network of each cell, embedded by t-SNE, which "
            "keeps near states near: they form clusters, and most states of a cluster have the "
            "same prediction.",
            svg=figures.embedded_hidden_states(shown, dataset.classes),
        )


def _cost(results: pd.DataFrame) -> page.Section:
    cost = page.Picture(
        name="accuracy-against-states",
        title="Accuracy against the number of states",
        caption="The best accuracy on the test set among deterministic automata of at most so "
        "many states, mean over trials; dotted, the network's own. The best is picked on the test "
        "set, so this shows what is there, not what was chosen.",
        svg=figures.accuracy_against_states(results),
    )
    return page.Section(
        title="What does being readable cost?",
        introduction="An automaton is read, drawn and checked; its network is not.",
        blocks=(cost,),
    )


def _write_automata(
    folder: Path, rows: pd.DataFrame, networks: Sequence[Findings]
) -> tuple[page.Picture, ...]:
    """Write the chosen and selected automata of each network; the pictures of the selected ones."""
    pictures = []
    for network in networks:
        shown = rows[(rows["test_set"] == "test") & (rows["chosen"] | rows["selected"])]
        for _, row in network.rows(shown).iterrows():
            extraction = network.extraction(row["method"], row["rule"], int(row["k"]))
            stem = f"{network.label}-{extraction.method}-{extraction.rule}-k{extraction.k}"
            automaton = extraction.automaton
            if isinstance(automaton, WeightedAutomaton):
                automaton.write(folder / "automata" / f"{stem}.npz")
                continue
            dot = drawing.to_dot(automaton, extraction.seen)
            texts = {"json": automaton.to_json(), "dot": dot, "svg": drawing.render(dot)}
            names = [stem] if row["chosen"] else []
            if row["selected"]:
                names.append(f"selected/{network.label}")
                if dot.count(" -> ") <= drawing.MAX_EDGES:
                    pictures.append(_picture(network, row, texts["svg"], automaton.classes))
            for name in names:
                for ending, text in texts.items():
                    (folder / "automata" / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return tuple(pictures)


def _write_detectors(folder: Path, rows: pd.DataFrame, networks: Sequence[Findings]) -> None:
    """Write a detector for each score beside each selected automaton."""
    for network in networks:
        if network.detections is not None:
            for detector in detectors(network, rows, _selected(rows, network)):
                name = f"automata/selected/{network.label}.{detector.score}.detector.json"
                (folder / name).write_text(detector.to_json(), encoding="utf-8")


def _selected(rows: pd.DataFrame, network: Findings) -> Automaton:
    """The automaton that stands for a network."""
    row = network.rows(rows[rows["selected"]]).iloc[0]
    return network.extraction(row["method"], row["rule"], int(row["k"])).deterministic


def _picture(network: Findings, row: pd.Series, svg: str, classes: Sequence[str]) -> page.Picture:
    exact = {True: " It is exactly the language.", False: " It is not exactly the language."}.get(
        row["exact"], ""
    )
    if row["exact"] is None and len(classes) == 2:
        exact = f" States with a double circle answer {classes[1]}, others {classes[0]}."
    judged = measures_of(row["target"])
    predicted, agreement = row[judged.automaton], row[judged.agreement]
    if judged is CLASSES:
        measures = f"accuracy {predicted:.3f}, fidelity {agreement:.3f}.{exact}"
    elif judged is DISTRIBUTIONS:
        measures = f"perplexity {predicted:.3f}, distance to the network {agreement:.3f}."
    else:
        measures = f"R² {predicted:.3f}, R² to the network {agreement:.3f}."
    return page.Picture(
        name=f"{network.label}-selected",
        title=f"{network.cell}, trial {network.trial}",
        caption=f"{row['n_states']} states ({row['n_states_minimal']} when minimal), {measures}",
        svg=svg,
    )


def _gate(rows: pd.DataFrame, networks: Sequence[Findings]) -> Iterator[str]:
    """A note for each network that has not learned its language, and how many were trained anew."""
    for network in networks:
        validation = network.rows(rows[rows["test_set"] == "validation"])
        accuracy = float(validation["rnn_accuracy"].iloc[0])
        if accuracy < LEARNED:
            yield (
                f"{network.cell}, trial {network.trial}: the network has not learned the language "
                f"(validation accuracy {accuracy:.3f}, under {LEARNED}), so its automata explain "
                "something else."
            )
    anew = [
        f"{network.cell}-{network.trial} ({network.restarts})"
        for network in networks
        if network.restarts
    ]
    if anew:
        yield (
            "Networks that are not of the first attempt, and how often training was begun anew: "
            f"{', '.join(anew)}."
        )


def _short_grids(rows: pd.DataFrame) -> list[str]:
    """A note for each network whose grid of k ended before that of others, for want of distinct
    hidden states."""
    last = rows.groupby(["cell", "trial"], sort=False)["k"].max()
    return [
        f"{cell}, trial {trial}: the grid of k ends at {k}, the number of distinct hidden states."
        for (cell, trial), k in last.items()
        if k < last.max()
    ]
