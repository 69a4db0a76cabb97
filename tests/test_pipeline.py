"""The list of stages, driven by stages that only write down what they are asked for."""

import asyncio
from typing import Any

import pytest

from lisor.errors import ModelError, StoreError
from lisor.pipeline import Failure, Subject, Variants, call, pipeline
from lisor.settings.experiment import Experiment


class Written:
    """Stages that make texts, which say what they were made from."""

    def __init__(self, failing: Exception | None = None) -> None:
        self.lines: list[str] = []
        self.failing = failing

    async def gather(self, *work: Any, finish: bool = False) -> list[Any]:
        return [await one for one in work]

    def make(self, stage: str, *parts: object) -> str:
        self.lines.append(f"{stage} {' '.join(map(str, parts))}")
        return self.lines[-1]

    async def dataset(self, study: Any) -> str:
        return self.make("dataset", study.dataset.name)

    async def train(self, study: Any, data: str, cell: str, trials: tuple[int, ...]) -> list[str]:
        return [self.make("train", cell, trial) for trial in trials]

    async def dump(self, subject: Subject) -> str:
        if self.failing is not None and subject.trial == 1:
            raise self.failing
        return self.make("dump", subject.label)

    async def cluster(self, subject: Subject, variants: Variants) -> str:
        return self.make("cluster", subject.label, variants)

    async def extract(self, subject: Subject, clusterings: str, variants: Variants) -> str:
        return self.make("extract", variants, variants.rules)

    async def evaluate(self, subject: Subject, automata: str, title: str) -> str:
        return self.make("evaluate", subject.label, title)

    async def embed(self, subject: Subject) -> str:
        return self.make("embed", subject.label)

    async def learn(self, subject: Subject, learner: str) -> str:
        return self.make("learn", subject.label, learner)

    def record(self, subject: Subject, *made: Any) -> str:
        return subject.label

    async def choose(self, networks: list[str], failures: list[Failure]) -> str:
        return self.make("choose", networks, *failures)

    async def explain(self, plan: Any, networks: list[str], results: str) -> list[str]:
        return [f"{network} explained" for network in networks]

    async def report(self, plan: Any, networks: list[str], results: str) -> str:
        return self.make("report", networks)


def settings(**sections: Any) -> Any:
    return Experiment(**{"name": "x", "datasets": [{"language": "000"}], **sections})


PLAN = settings(
    models={"cells": ["gru"]},
    training={"trials": 2},
    clustering={"methods": ["kmeans"], "k": [2, 40]},
    extraction={"rules": ["majority", "refined"], "baselines": ["lstar"]},
)


def test_stages_that_never_wait_need_no_event_loop():
    stages = Written()
    networks, results, report = call(pipeline(stages, PLAN))
    assert networks == ["000-gru-0 explained", "000-gru-1 explained"]
    assert (results, report) == (stages.lines[-2], stages.lines[-1])
    order = list(dict.fromkeys(line.split()[0] for line in stages.lines))
    assert order == [
        "dataset",
        "train",
        "dump",
        "cluster",
        "extract",
        "evaluate",
        "embed",
        "learn",
        "choose",
        "report",
    ]


def test_a_notebook_whose_loop_is_running_can_call_them():
    async def cell() -> list[str]:
        return call(pipeline(Written(), PLAN))[0]

    assert len(asyncio.run(cell())) == 2


def test_stages_that_wait_are_refused():
    class Waiting(Written):
        async def dataset(self, study: Any) -> str:
            await asyncio.sleep(0)
            return ""

    with pytest.raises(RuntimeError, match="stages that never wait"):
        call(pipeline(Waiting(), PLAN))


def test_a_block_of_trials_is_trained_whole_and_those_that_are_wanted_go_on():
    stages = Written()
    call(pipeline(stages, PLAN))
    assert [line for line in stages.lines if line.startswith("train")] == [
        f"train gru {trial}" for trial in range(5)
    ]
    assert [line for line in stages.lines if line.startswith("dump")] == [
        "dump 000-gru-0",
        "dump 000-gru-1",
    ]


def test_rules_read_off_every_k_and_search_from_few():
    stages = Written()
    call(pipeline(stages, PLAN))
    extracted = [line for line in stages.lines if line.startswith("extract")]
    assert extracted[:4] == [
        "extract kmeans k 2–32 ('majority',)",
        "extract kmeans k 2–20 ('refined',)",
        "extract kmeans k 33–40 ('majority',)",
        "extract kmeans k 40 ('refined',)",
    ]


def test_a_rule_for_which_clusters_do_not_count_searches_at_one_k():
    rules = ("refined", "majority", "queried")
    variants = Variants(method="kmeans", ks=(2, 3, 4), rules=rules, starts=(2, 4))
    assert [(group.rules, group.ks) for group in variants.groups] == [
        (("majority",), (2, 3, 4)),
        (("refined",), (2, 4)),
        (("queried",), (2,)),
    ]


def test_other_learners_are_given_the_first_trial_alone():
    stages = Written()
    call(pipeline(stages, PLAN))
    assert [line for line in stages.lines if line.startswith("learn")] == ["learn 000-gru-0 lstar"]


def test_a_network_fails_alone():
    stages = Written(ModelError("it diverged"))
    networks, *_ = call(pipeline(stages, PLAN))
    assert networks == ["000-gru-0 explained"]
    assert "choose ['000-gru-0'] 000-gru-1: it diverged" in stages.lines


def test_what_concerns_the_run_ends_it():
    with pytest.raises(StoreError, match="full"):
        call(pipeline(Written(StoreError("the disk is full")), PLAN))
