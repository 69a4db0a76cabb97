"""What a run would compute and why, by the flow of the run itself, without running a task."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from lisor_tasks.artifacts import Awaited, Ref, open_store
from lisor_tasks.caching import EXECUTION, CachedTask
from lisor_tasks.execution import Execution
from lisor_tasks.provenance import PARTS, Difference, Provenance, Provenances, stages_before

R = TypeVar("R")

MAX_NAMES = 3
"""The most tasks that are named of those that run for the same reason."""

MAX_DEFINITIONS = 9
"""The most definitions that are named of those whose code has changed."""

MAX_CHARACTERS = 40
"""The most characters of a setting's value that are shown."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What would happen to a task: a cache hit, a run, or unknown until earlier stages have run."""

    stage: str
    title: str
    fate: Literal["cached", "run", "wait"] = "cached"
    reason: str = ""


class Plan:
    """A queue that looks tasks up in the store and runs none.

    The key of a task is known when its inputs exist. A task that waits for others may still be a
    cache hit, if these make what they made before. It is sure to run if the store has no artifact
    of the same step that differs from it in inputs alone."""

    def __init__(self) -> None:
        self.tasks: list[Planned] = []
        self._store = open_store()
        self._provenances: dict[str, Provenances] = {}

    async def run(
        self, stage: str, task: CachedTask[..., R], *, label: str = "", **arguments: Any
    ) -> R:
        """References to the artifacts of a task, or stand-ins for those that do not exist yet."""
        step = task.step
        given = step.bind(**arguments)
        before = stages_before(given)
        provenance = step.provenance(given)
        key = "" if before else provenance.key(step.kind)
        keys = step.artifact_keys(key, given)
        refs: Sequence[Ref] | None = None if before else self._store.find(step.kind, keys)
        planned = Planned(
            stage=stage, title=step.title.format(**given, **{EXECUTION: Execution(label=label)})
        )
        if refs is None:
            difference = self._compare(step.kind, provenance, surely=not before)
            if difference is None:
                planned = replace(planned, fate="wait", reason=f"for {_list(sorted(before))}")
            else:
                planned = replace(planned, fate="run", reason=f"since {difference}")
                before = frozenset({stage})
            refs = [Awaited(step.kind, key, "", before) for key in keys]
        self.tasks.append(planned)
        result: R = step.result(refs)
        return result

    def _compare(self, kind: str, provenance: Provenance, *, surely: bool) -> str | None:
        """The reason why a task that is not cached has to run; None if it does not `surely` have
        to."""
        if kind not in self._provenances:
            self._provenances[kind] = Provenances(self._store, kind)
        known = self._provenances[kind]
        nearest = known.nearest(provenance)
        differences = [] if nearest is None else provenance.differences(nearest)
        if not surely and (known.without or (nearest is not None and not differences)):
            return None
        if nearest is None:
            older = "what the store has was made by another version, which kept no such provenance"
            return older if known.without else "the store has nothing like it"
        return _describe(differences) or "it is damaged or was deleted"

    def __str__(self) -> str:
        """For each stage: how many tasks are cached, which run and why, and which wait for what."""
        lines = []
        stages = dict.fromkeys(task.stage for task in reversed(self.tasks))  # by their last tasks
        for stage in reversed(stages):
            tasks = [task for task in self.tasks if task.stage == stage]
            groups: dict[tuple[str, str], list[str]] = {}
            for task in tasks:
                groups.setdefault((task.fate, task.reason), []).append(task.title)
            lines.append(f"{stage}: {len(groups.pop(('cached', ''), []))} of {len(tasks)} cached")
            for (fate, reason), titles in groups.items():
                lines.append(f"  {len(titles)} {fate} {reason}")
                if len(titles) < len(tasks):
                    lines.append(f"      {_list(titles)}")
        return "\n".join([*lines, self._total()])

    def _total(self) -> str:
        fates = Counter(task.fate for task in self.tasks)
        if fates["cached"] == len(self.tasks):
            return f"all {len(self.tasks)} tasks are in the cache: nothing would be computed"
        total = f"{len(self.tasks)} tasks: {fates['cached']} cached, {fates['run']} run"
        condition = "they run too unless what comes before them comes out as it did"
        return f"{total}, {fates['wait']} wait: {condition}" if fates["wait"] else total


def _describe(differences: list[Difference]) -> str:
    """The differences of a task from the nearest artifact in the store."""
    settings, inputs, code, versions = (
        {
            name: f"{name} {_show(was)} → {_show(now)}"
            for part, name, was, now in differences
            if part == wanted
        }
        for wanted in PARTS
    )
    if settings:  # other settings reach other code, which has not changed by that
        one_sided = {name for _, name, was, now in differences if None in (was, now)}
        code = {name: text for name, text in code.items() if name not in one_sided}
    # members of a list are shown as that list
    in_lists = {name for name in settings if re.search(r"\.\d", name)}
    others = list(dict.fromkeys(re.sub(r"\.\d.*", "", name) for name in [*inputs, *in_lists]))
    parts = [text for name, text in settings.items() if name not in in_lists and name not in inputs]
    if others:
        parts.append(f"other {_list(others)}")
    if code:
        parts.append(f"changed code of {_list(list(code), MAX_DEFINITIONS)}")
    return "; ".join([*parts, *versions.values()])


def _show(text: str | None) -> str:
    """A setting's value as a person reads it."""
    if text is None:
        return "absent"
    value = json.loads(text)
    counts = isinstance(value, list) and len(value) > 2 and isinstance(value[0], int)
    if counts and value == [*range(value[0], value[0] + len(value))]:
        return f"{value[0]}–{value[-1]}"
    shown = "none" if value is None else value if isinstance(value, str) else text
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}…"


def _list(names: Sequence[str], limit: int = MAX_NAMES) -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
