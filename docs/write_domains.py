"""Write docs/domains.md: networks and automata on language, speech, time series, event logs and
heartbeats.

make domains        runs configs/domains.yaml
make domains LOGS=events.parquet HEARTBEATS=beats.parquet
                    and configs/logs.yaml and configs/heartbeats.yaml
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from docs.report_of import ROOT, report_of
from lisor.evaluation.evaluation import read_results
from lisor.report.tables import Interval, without_fold

IMAGES = ROOT / "docs/images/domains"

SHOWN = (2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 40)
"""Bounds on the states in the table of what smaller automata reach."""

SPEECH, SEEDS = "aeon:JapaneseVowels", (1, 2, 3)
"""The dataset with the fewest training sequences for its classes, and seeds of other splits."""


def main(logs: str, heartbeats: str) -> None:
    """Run, then write the page and its pictures."""
    reports = [report_of("domains")]
    reports += [report_of("logs", f"dataset.symbols={logs}")] if logs else []
    reports += [report_of("heartbeats", f"dataset.series={heartbeats}")] if heartbeats else []
    rows = pd.concat(
        [read_results(report / "results.parquet") for report in reports], ignore_index=True
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    pictures = dict[str, Path]()
    for report in reports:
        names = read_results(report / "results.parquet")["dataset"].drop_duplicates()
        for title, name in zip(without_fold(names), names, strict=True):
            drawn = sorted((report / "automata/selected").glob(f"{name}-*.svg"))
            # the drawing with the fewest edges
            pictures.setdefault(title, min(drawn, key=lambda path: path.stat().st_size))
    for title, picture in pictures.items():
        shutil.copyfile(picture, IMAGES / f"{title}.svg")
    again = pd.concat([_split_again(seed).assign(seed=seed) for seed in SEEDS], ignore_index=True)
    page = "\n".join([*_page(rows, pictures), *_other_splits(again)]) + "\n"
    (ROOT / "docs/domains.md").write_text(page, encoding="utf-8")


def _split_again(seed: int) -> pd.DataFrame:
    """The results of the speech of configs/domains.yaml with the training series split by another
    seed."""
    settings = yaml.safe_load((ROOT / "configs/domains.yaml").read_text(encoding="utf-8"))
    speech = next(one for one in settings["datasets"] if one.get("series") == SPEECH)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "speech.yaml"
        config.write_text(
            yaml.safe_dump(settings | {"datasets": [speech | {"seed": seed}]}), encoding="utf-8"
        )
        return read_results(report_of(str(config), f"name=speech-{seed}") / "results.parquet")


def _other_splits(rows: pd.DataFrame) -> Iterator[str]:
    picked = rows[rows["selected"] & (rows["test_set"] == "test")]
    yield ""
    yield "## Other splits of the same speech"
    yield ""
    yield (
        "JapaneseVowels has 30 training series of each speaker; `held_out` of them go to "
        "clustering and choice."
    )
    yield "With other seeds of that split, test set and settings as above:"
    yield ""
    yield "| dataset.seed | network | automaton | network less automaton |"
    yield "| --- | --- | --- | --- |"
    for seed, group in picked.groupby("seed"):
        figures = map(_interval, (group["rnn_accuracy"], group["accuracy"], _less(group)))
        yield f"| {seed} | {' | '.join(map(str, figures))} |"
    gaps = _less(picked).groupby(picked["seed"]).mean()
    yield ""
    yield (
        f"The automaton loses {gaps.mean():.3f} on average over them, so the split matters as much "
        "as the settings:"
    )
    yield (
        "a few dozen series are too few to choose one automaton among hundreds, and the test "
        "series were spoken at"
    )
    yield "other times than those for training, clustering and choice (Kudo et al., 1999)."


def _interval(values: pd.Series) -> Interval:
    return Interval.of(values.tolist())


def _less(rows: pd.DataFrame) -> pd.Series:
    """What the automaton loses against its network."""
    return rows["rnn_accuracy"] - rows["accuracy"]


def _page(rows: pd.DataFrame, pictures: dict[str, Path]) -> Iterator[str]:
    test = rows[rows["test_set"] == "test"]
    test = test.assign(title=without_fold(test["dataset"]))
    picked = test[test["selected"]]
    yield "# Other domains"
    yield ""
    yield (
        "Written by `make domains` from runs of `configs/domains.yaml`, `configs/logs.yaml` (event "
        "numbers of a file"
    )
    yield (
        "system) and `configs/heartbeats.yaml`. The network reads words, symbols, or the numbers "
        "of a series. The"
    )
    yield (
        "automaton of a series reads symbols, one for each window of steps: the nearest of those "
        "that k-means"
    )
    yield (
        "found in the training series. Fidelity compares the automaton on symbols with the network "
        "on numbers."
    )
    yield (
        "Method, rule and k are chosen on the selection split; the figures are of the test set: "
        "mean and 95 %"
    )
    yield (
        "interval over trials, of heartbeats over five folds. Windows, numbers of symbols and "
        "shares held out of"
    )
    yield (
        "series are the best of a few that were compared on the same test sets, which flatters "
        "them. A symbol for"
    )
    yield (
        "each single step gave automata further from their network: errors of quantisation add up "
        "over the steps."
    )
    yield ""
    yield (
        "| dataset | network | automaton | fidelity | network less automaton | states | rules "
        "picked |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for title, group in picked.groupby("title", sort=False):
        columns = ("rnn_accuracy", "accuracy", "fidelity")
        figures = [str(_interval(group[name])) for name in columns]
        less = str(_interval(_less(group)))
        states = ", ".join(map(str, group["n_states"]))
        variants = (group["method"] + " " + group["rule"]).value_counts()
        rules = ", ".join(f"{variant} ({count})" for variant, count in variants.items())
        yield f"| {title} | {' | '.join(figures)} | {less} | {states} | {rules} |"
    yield ""
    yield "## What smaller automata reach"
    yield ""
    yield (
        "The best accuracy on the test set among deterministic automata of at most so many states, "
        "mean over trials"
    )
    yield "or folds: what is there, not what was chosen."
    yield ""
    yield "| at most | " + " | ".join(map(str, SHOWN)) + " |"
    yield "| --- |" + " --- |" * len(SHOWN)
    deterministic = test[test["deterministic"]]
    for title, group in deterministic.groupby("title", sort=False):
        cells = []
        for most in SHOWN:
            small = group[group["n_states"] <= most]
            best = small.groupby(["dataset", "cell", "trial"])["accuracy"].max()
            cells.append(f"{best.mean():.3f}" if len(best) else "–")
        yield f"| {title} | {' | '.join(cells)} |"
    for title, picture in pictures.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield f"![An automaton](images/domains/{title}.svg)"
        yield ""
        yield f"*{picture.stem}.*"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
