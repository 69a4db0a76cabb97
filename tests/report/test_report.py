import csv
import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from lisor.report import report, tables
from lisor.report.caveats import caveats
from tests.report.conftest import Run


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of `run`."""
    return write(run, tmp_path_factory.mktemp("report"))


def write(run: Run, folder: Path) -> Path:
    report.write(folder, "a <tiny> run", run.results, run.datasets, run.networks)
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def on_the_test_set(run: Run) -> pd.DataFrame:
    return run.results[run.results["test_set"] == "test"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_table_is_written(run: Run, written: Path) -> None:
    assert files(written / "tables") == {
        "summary.csv",
        "000-clusters-to-reach-0.7.csv",
        "000-claims-0.7.csv",
        "000-clusters-to-reach-1.0.csv",
        "000-claims-1.0.csv",
        "000-chosen.csv",
        "opinions-accuracy-at-2.csv",
        "opinions-leading-words.csv",
        "opinions-lexicon.csv",
        "opinions-chosen.csv",
        "opinions-unseen.csv",
    }


def test_every_figure_is_written(run: Run, written: Path) -> None:
    rows = run.results[run.results["dataset"] == "000"]
    numbers, missing = tables.clusters_to_reach(rows, 0.7), tables.not_reached(rows)
    reached = [index for index, trials in numbers.iterrows() if trials[0] < missing]
    assert files(written / "figures") == {
        "framework.svg",
        "accuracy-against-states.svg",
        *(
            f"{name}-{kind}.svg"
            for name in run.datasets
            for kind in ("training", "quality", "hidden-states")
        ),
        *(f"{network.label}-selected.svg" for network in run.networks),
        *(f"000-{cell}-0-{method}-reaches-0.7.svg" for method, cell in reached),
        "opinions-gru-0-word-classes.svg",
    }


def test_every_figure_is_an_svg(written: Path) -> None:
    for path in written.rglob("*.svg"):
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_page_has_every_table_and_figure_and_no_other(written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    saved = re.findall(r'data-file="(.*?)"', html)
    assert len(saved) == len(set(saved))
    assert set(saved) == files(written / "tables") | files(written / "figures")
    assert html.count("<svg") == len(files(written / "figures"))
    assert html.count("<script") == 1


def chosen_and_selected(run: Run) -> Iterator[tuple[str, pd.Series]]:
    """The file of each automaton that should be written, and its row."""
    for _, row in on_the_test_set(run).iterrows():
        label = f"{row['dataset']}-{row['cell']}-{row['trial']}"
        if row["chosen"]:
            yield f"{label}-{row['method']}-{row['rule']}-k{row['k']}", row
        if row["selected"]:
            yield f"selected/{label}", row


def test_every_chosen_and_selected_automaton_is_written(run: Run, written: Path) -> None:
    names = [name for name, _ in chosen_and_selected(run)]
    assert len(names) == 3 * len(run.networks)  # a chosen one of each method, and the selected one
    assert files(written / "automata") == {
        f"{name}.{end}" for name in names for end in ("json", "dot", "svg")
    }


def test_an_automaton_is_read_as_it_was_found(run: Run, written: Path) -> None:
    networks = {network.label: network for network in run.networks}
    for name, row in chosen_and_selected(run):
        network = networks[f"{row['dataset']}-{row['cell']}-{row['trial']}"]
        text = (written / "automata" / f"{name}.json").read_text(encoding="utf-8")
        assert (
            Automaton.from_json(text)
            == network.extraction(row["method"], row["rule"], row["k"]).automaton
        )
        assert json.loads(text)["classes"] == list(run.datasets[row["dataset"]].classes)


def test_the_tables_of_chosen_automata_are_those_of_the_results(run: Run, written: Path) -> None:
    for name in run.datasets:
        rows = on_the_test_set(run)
        expected = rows[rows["chosen"] & (rows["dataset"] == name)]
        found = read_csv(written / "tables" / f"{name}-chosen.csv")
        for line, (_, row) in zip(found, expected.iterrows(), strict=True):
            assert [line["cell"], line["trial"], line["k"]] == [
                row["cell"],
                str(row["trial"]),
                str(row["k"]),
            ]
            assert line["accuracy"] == f"{row['accuracy']:.3f}"
            assert line["unseen steps"] == f"{row['unseen_transitions']:.3f}"
            assert line["selected"] == ("yes" if row["selected"] else "no")
            assert line["exact"] == {True: "yes", False: "no", None: "–"}[row["exact"]]


def test_the_summary_has_a_row_for_each_data_set_and_cell(run: Run, written: Path) -> None:
    found = read_csv(written / "tables" / "summary.csv")
    assert [(row["dataset"], row["cell"]) for row in found] == [
        ("000", "srn"),
        ("000", "mgu"),
        ("opinions", "gru"),
    ]
    assert [tuple(row.values()) for row in found] == [
        row.cells() for row in tables.summarize(run.results)
    ]


def test_the_same_run_gives_the_same_bytes(run: Run, written: Path, tmp_path: Path) -> None:
    again = write(run, tmp_path)
    assert files(again) == files(written)
    for name in files(again):
        assert (again / name).read_bytes() == (written / name).read_bytes(), name


def test_titles_and_notes_stand_in_the_page_as_texts(run: Run, written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    assert "<h1>a &lt;tiny&gt; run</h1>" in html
    notes = re.findall("<li>(.*?)</li>", html)
    unlearned = [note for note in notes if "has not learned the language" in note]
    assert [note.split(":")[0] for note in unlearned] == [
        f"{cell}, trial {t}" for cell in ("srn", "mgu") for t in (0, 1)
    ]
    weak = [
        escape(note)
        for name, dataset in run.datasets.items()
        for note in caveats(
            run.results[run.results["dataset"] == name],
            dataset,
            [one for one in run.networks if one.dataset == name],
        )
    ]
    assert weak
    assert set(weak) <= set(notes)
    assert [note for note in notes if note not in (*unlearned, *weak)] == [
        "2 of 122 rows dropped: &lt;no text&gt;",
        "gru, trial 1: the grid of k ends at 4, the number of distinct hidden states.",
    ]


def test_a_network_that_is_missing_leaves_a_dash_and_a_note(run: Run, tmp_path: Path) -> None:
    gone = ("000", "mgu", 0)
    kept = [
        network
        for network in run.networks
        if (network.dataset, network.cell, network.trial) != gone
    ]
    identity = zip(run.results["dataset"], run.results["cell"], run.results["trial"], strict=True)
    rows = run.results[[one != gone for one in identity]]
    report.write(
        tmp_path,
        "a run",
        rows,
        run.datasets,
        kept,
        ["Failed, and nowhere below: 000-mgu-0: <reason>."],
    )
    assert (
        "Failed, and nowhere below: 000-mgu-0: &lt;reason&gt;."
        in (tmp_path / "report.html").read_text()
    )
    (line, *_) = [
        row
        for row in read_csv(tmp_path / "tables/000-clusters-to-reach-0.7.csv")
        if row["cell"] == "mgu"
    ]
    assert line["trial 0"] == "–"
    assert line["exact"].endswith("of 1")
    bound = line["trial 1"].startswith("> ")
    assert line["mean"] == (
        f"≥ {int(line['trial 1'][2:]) + 1}.0" if bound else f"{int(line['trial 1'])}.0"
    )
    for path in (tmp_path / "tables").glob("*.csv"):
        assert not any("nan" in str(cell) for row in read_csv(path) for cell in row.values()), path
