from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from lisor.report import figures
from lisor.report.embedding import Embedding
from lisor.report.figures import ClusteredEmbedding
from tests.report.conftest import rows

SVG = "{http://www.w3.org/2000/svg}"
HISTORY = {"validation_accuracy": [0.5, 1.0], "validation_loss": [0.7, 0.1]}


def clustered(title: str = "gru, k = 3", count: int = 30, classes: int = 2) -> ClusteredEmbedding:
    rng = np.random.default_rng(0)
    places, answers = rng.normal(size=(count, 2)), rng.integers(0, classes, count)
    embedding = Embedding(
        rows=np.arange(count), positions=places.astype(np.float32), predictions=answers
    )
    return ClusteredEmbedding(title, embedding, rng.integers(0, 3, count))


def texts(svg: str) -> set[str]:
    return {
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")
    }


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.quality_against_k(rows()),
        lambda: figures.training_curves({"gru": [HISTORY]}),
        lambda: figures.accuracy_against_states(rows(cells=("srn", "gru"))),
        lambda: figures.embedded_hidden_states([clustered()], ("reject", "accept")),
    ],
)
def test_the_same_numbers_give_the_same_bytes(draw: Callable[[], str]) -> None:
    svg = draw()
    assert svg == draw()
    ElementTree.fromstring(svg)


def test_each_way_to_an_automaton_has_curves_of_its_own() -> None:
    both = pd.concat([rows(), rows().assign(method="kmeans-x")])
    one, two = figures.quality_against_k(rows()), figures.quality_against_k(both)
    assert "kmeans-x, majority" in two
    assert two.count('id="axes_') == 2 * one.count('id="axes_')


# Accuracy against states


def test_each_data_set_has_a_panel_and_each_cell_a_curve() -> None:
    both = pd.concat(
        [rows(cells=("srn", "gru")), rows().assign(dataset="opinions")]
    )  # the second lacks a cell
    svg = figures.accuracy_against_states(both)
    assert svg.count('id="axes_') == 2
    assert {"000", "opinions", "srn", "gru", "network"} <= texts(svg)


def test_an_automaton_that_is_worse_than_a_smaller_one_changes_nothing() -> None:
    worse = rows(lambda method, cell, trial, k: {2: 0.9, 3: 0.6, 4: 0.7}[k])
    assert figures.accuracy_against_states(worse) == figures.accuracy_against_states(
        rows(lambda *_: 0.9)
    )


def test_only_deterministic_automata_on_the_test_set_are_drawn() -> None:
    perfect = rows(lambda *_: 1.0)
    others = pd.concat(
        [rows(), perfect.assign(test_set="validation"), perfect.assign(deterministic=False)]
    )
    assert figures.accuracy_against_states(others) == figures.accuracy_against_states(rows())


# Hidden states, embedded by t-SNE


@pytest.mark.parametrize(("networks", "classes"), [(2, 2), (1, 4)])
def test_every_hidden_state_is_drawn_by_its_cluster_and_by_its_answer(
    networks: int, classes: int
) -> None:
    embeddings = [clustered(f"network {number}", classes=classes) for number in range(networks)]
    svg = figures.embedded_hidden_states(
        embeddings, [f"class {number}" for number in range(classes)]
    )
    panels = [
        group
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "axes" in group.get("id", "")
    ]
    assert [len(list(panel.iter(f"{SVG}use"))) for panel in panels] == [30] * 2 * networks
    names = {f"network {number}" for number in range(networks)} | {
        f"class {number}" for number in range(classes)
    }
    assert names <= {text.strip() for text in texts(svg)}


def test_a_network_may_have_no_hidden_states_or_more_clusters_than_there_are_colors() -> None:
    many = clustered()._replace(clusters=np.arange(30))
    ElementTree.fromstring(
        figures.embedded_hidden_states([clustered(count=0), many], ("reject", "accept"))
    )


def test_the_names_of_classes_stay_texts() -> None:
    bad = "</svg><script>&amp;--></script>"
    svg = figures.embedded_hidden_states([clustered(bad)], (bad, "accept"))
    assert "<script" not in svg
    assert bad in texts(svg)


@pytest.mark.parametrize("name", [r"$\frac$", "$5 to $10", "_hidden", "a\x01"])
def test_a_class_of_any_name_is_drawn_by_its_name(name: str) -> None:
    svg = figures.embedded_hidden_states([clustered("gru", classes=2)], [name, "other"])
    assert name.replace("\x01", "\ufffd") in {text.strip() for text in texts(svg)}
