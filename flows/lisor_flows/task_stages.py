"""The stages of the pipeline as cached tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lisor.devices import resolve_device
from lisor.errors import ModelError
from lisor.extraction.limits import SearchLimits
from lisor.pipeline import MAX_REASON, NETWORK_ERRORS, Block, Failure, Subject, Variants
from lisor.registry import METHODS
from lisor.settings.experiment import Experiment, Study
from lisor.settings.extraction import REFINED_STATES
from lisor.settings.text import TextSettings
from lisor_flows.plan import Plan
from lisor_flows.sources import Sources, find_sources
from lisor_flows.task_queue import TaskQueue
from lisor_tasks.anomalies import detect_anomalies
from lisor_tasks.artifacts import Awaited, Ref, Source
from lisor_tasks.clustering import cluster_hidden_states
from lisor_tasks.data import fetch_movie_reviews, make_dataset, read_corpus
from lisor_tasks.evaluation import (
    Evaluated,
    NetworkArtifacts,
    collect_results,
    evaluate_automata,
    reported,
    selected_variants,
)
from lisor_tasks.explain import explain_network
from lisor_tasks.extraction import extract_automata, learn_baseline
from lisor_tasks.hidden_states import dump_hidden_states
from lisor_tasks.networks import NetworkRef, adapt_network, has_diverged, read_sequences
from lisor_tasks.report import project_hidden_states, write_report
from lisor_tasks.training import train_networks

T = TypeVar("T")


@dataclass(frozen=True)
class TaskStages:
    """The stages of `lisor.pipeline.Stages`, each a cached task that a queue runs or a plan looks
    up. Their results are references to artifacts."""

    tasks: TaskQueue | Plan
    _sources: dict[str, Sources] = field(default_factory=dict)

    def sources(self, study: Study) -> Sources:
        """The user's files of a study, which are found once."""
        title = study.dataset.title
        if title not in self._sources:
            self._sources[title] = find_sources(study)
        return self._sources[title]

    async def gather(self, *work: Awaitable[T], finish: bool = False) -> list[T]:
        """The results of all of them, which run concurrently."""
        results = []
        for result in await asyncio.gather(*work, return_exceptions=finish):
            if isinstance(result, BaseException):
                raise result
            results.append(result)
        return results

    async def dataset(self, study: Study) -> Ref:
        """The reference of a study's dataset."""
        sources, settings, models = self.sources(study), study.dataset, study.models
        if models.build is not None:
            return await self.tasks.run(
                "data",
                read_sequences,
                data=sources.dataset["symbols"],
                build=models.build,
                source=sources.build,
                weights=sources.weights,
                built=sources.built,
                settings=settings,
            )
        files: dict[str, Ref | Source] = dict(sources.dataset)
        if isinstance(settings, TextSettings):
            files["text"] = await self._corpus(sources, settings)
        return await self.tasks.run(
            "data",
            make_dataset,
            kind=settings.KIND,
            settings=settings,
            files=files,
            vector_size=models.vector_size if settings.trains_vectors else None,
        )

    async def _corpus(self, sources: Sources, settings: TextSettings) -> Ref:
        if "text" in sources.dataset:
            return await self.tasks.run(
                "data",
                read_corpus,
                source=sources.dataset["text"],
                needs_labels=settings.known_target != "next",
            )
        return await self.tasks.run("data", fetch_movie_reviews)

    async def train(
        self, study: Study, data: Ref, cell: str, trials: tuple[int, ...]
    ) -> list[NetworkRef]:
        """The networks of a block of trials."""
        device = resolve_device(study.training.device)
        models = await self.tasks.run(
            "train",
            train_networks,
            dataset=data,
            cell=cell,
            models=study.models,
            training=study.training.replace(device=device),
            trials=trials,
            label=f"{study.dataset.name}-{cell} {_span(trials)}",
        )
        return [NetworkRef(model=model, made_by=cell) for model in models]

    async def adapt(self, study: Study, data: Ref) -> NetworkRef:
        """The external network of a study."""
        sources, build = self.sources(study), str(study.models.build)
        model = await self.tasks.run(
            "data",
            adapt_network,
            data=data,
            build=build,
            source=sources.build,
            weights=sources.weights,
            built=sources.built,
            settings=study.dataset,
        )
        return NetworkRef(model=model, made_by=build)

    async def dump(self, subject: Subject) -> Ref:
        """The hidden states of a network.

        Raises:
            ModelError: its training diverged."""
        model = subject.network.model
        # a plan has no network yet
        if not isinstance(model, Awaited) and has_diverged(model):
            raise ModelError(
                "training diverged (its loss is not a number): lower training.learning_rate"
            )
        return await self.tasks.run(
            "dump",
            dump_hidden_states,
            network=subject.network,
            dataset=subject.data,
            label=subject.label,
        )

    async def cluster(self, subject: Subject, variants: Variants) -> Ref:
        """The clusterings of one method for a block of k."""
        settings, method = subject.study.clustering, METHODS[variants.method]
        weight = method.weight_setting and getattr(settings, method.weight_setting)
        device = resolve_device(settings.device, ("cuda", "cpu")) if method.uses_device else "cpu"
        return await self.tasks.run(
            "cluster",
            cluster_hidden_states,
            states=subject.states,
            network=subject.network,
            method=variants.method,
            ks=variants.ks,
            weight=weight,
            seed=settings.seed,
            device=device,
            label=f"{subject.label} {variants}",
        )

    async def extract(self, subject: Subject, clusterings: Ref, variants: Variants) -> Ref:
        """The automata of a block by its rules, which all search or all do not."""
        settings = subject.study.extraction
        limits = SearchLimits(
            most_states=settings.most_states or REFINED_STATES,
            steps=settings.search_steps,
            seed=subject.study.clustering.seed,
        )
        return await self.tasks.run(
            "search" if variants.searches else "extract",
            extract_automata,
            network=subject.network,
            states=subject.states,
            dataset=subject.data,
            clusterings=clusterings,
            method=variants.method,
            ks=variants.ks,
            rules=variants.rules,
            unseen=settings.unseen,
            limits=limits if variants.searches else None,
            label=f"{subject.label} {variants}",
        )

    async def learn(self, subject: Subject, learner: str) -> Ref:
        """The automaton that another learner makes of a network."""
        return await self.tasks.run(
            "baseline",
            learn_baseline,
            network=subject.network,
            dataset=subject.data,
            method=learner,
            budget=subject.study.extraction.baseline_steps,
            seed=subject.study.training.seed,
            label=f"{subject.label} {learner}",
        )

    async def evaluate(self, subject: Subject, automata: Ref, title: str) -> Ref:
        """The evaluations of automata."""
        return await self.tasks.run(
            "evaluate",
            evaluate_automata,
            automata=automata,
            states=subject.states,
            dataset=subject.data,
            label=f"{subject.label} {title}",
        )

    async def embed(self, subject: Subject) -> Ref | None:
        """The t-SNE embedding of the hidden states of a first trial."""
        if subject.trial > 0:
            return None
        return await self.tasks.run(
            "report",
            project_hidden_states,
            network=subject.network,
            states=subject.states,
            label=subject.label,
        )

    async def detect(self, subject: Subject, automata: list[Ref]) -> Ref:
        """The detections of anomalies by a network and its automata."""
        return await self.tasks.run(
            "anomalies",
            detect_anomalies,
            states=subject.states,
            dataset=subject.data,
            automata=automata,
            settings=subject.study.anomalies,
            label=subject.label,
        )

    def record(
        self,
        subject: Subject,
        blocks: list[Block],
        learned: list[tuple[Ref, Ref]],
        embedding: Ref | None,
        detections: Ref | None,
    ) -> NetworkArtifacts:
        """The artifacts of a network."""
        dataset = subject.study.dataset
        return NetworkArtifacts(
            dataset=dataset.title,
            name=dataset.name,
            cell=subject.cell,
            trial=subject.trial,
            data=subject.data,
            model=subject.network.model,
            made_by=subject.network.made_by,
            states=subject.states,
            clusterings=tuple(block.clusterings for block in blocks),
            extracted=tuple(
                Evaluated(
                    automata=automata,
                    evaluations=evaluations,
                    clusterings=None if variants.searches else block.clusterings,
                )
                for block in blocks
                for variants, automata, evaluations in block.groups
            ),
            embedding=embedding,
            detections=detections,
            most_states=subject.study.extraction.most_states,
            baselines=tuple(
                Evaluated(automata=automata, evaluations=evaluations)
                for automata, evaluations in learned
            ),
        )

    async def choose(self, networks: list[NetworkArtifacts], failures: list[Failure]) -> Ref:
        """The results."""
        return await self.tasks.run("report", collect_results, networks=networks, failures=failures)

    async def explain(
        self, experiment: Experiment, networks: list[NetworkArtifacts], results: Ref
    ) -> list[NetworkArtifacts]:
        """The networks, with an explanation of the first trial of each cell where it is enabled."""
        studies = {
            study.dataset.title: study for study in experiment.studies if study.explain.enabled
        }
        # a plan has no results yet
        whole = networks if isinstance(results, Awaited) else reported(networks, results)
        first = [network for network in whole if network.trial == 0 and network.dataset in studies]
        selected: dict[tuple[str, str, int], Any] = dict.fromkeys(
            (network.identity for network in first), results
        )
        if first and not isinstance(results, Awaited):
            selected = dict(selected_variants(results))

        async def explain(network: NetworkArtifacts) -> NetworkArtifacts:
            study = studies[network.dataset]
            company = [other.states for other in first if other.dataset == network.dataset]
            try:
                explanation = await self.tasks.run(
                    "explain",
                    explain_network,
                    network=NetworkRef(model=network.model, made_by=network.made_by),
                    states=network.states,
                    dataset=network.data,
                    automata=network.automata,
                    variant=selected[network.identity],
                    company=company,
                    settings=study.explain,
                    annotations=self.sources(study).annotations,
                    label=network.label,
                )
            except NETWORK_ERRORS as error:
                return replace(network, unexplained=str(error)[:MAX_REASON])
            return replace(network, explanation=explanation)

        explained = {network.label: network for network in await self.gather(*map(explain, first))}
        return [explained.get(network.label, network) for network in networks]

    async def report(
        self, experiment: Experiment, networks: list[NetworkArtifacts], results: Ref
    ) -> Ref:
        """The report."""
        return await self.tasks.run(
            "report", write_report, title=experiment.name, results=results, networks=networks
        )


def _span(numbers: tuple[int, ...]) -> str:
    """The first and the last of consecutive numbers."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
