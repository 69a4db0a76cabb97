"""What a run would compute and why, found by the run's own flow without running a task."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from lisor_tasks.artifacts import Awaited, open_store
from lisor_tasks.caching import EXECUTION, CachedTask
from lisor_tasks.execution import Execution
from lisor_tasks.provenance import PARTS, Difference, Provenance, Provenances, stages_before

R = TypeVar("R")

MOST_NAMES = 3
"""So many tasks are named of those that run for the same reason."""

MAX_DEFINITIONS = 9
"""So many definitions are named whose code has changed."""

MOST_SIGNS = 40
"""So much of a setting's value is shown."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What would become of a task: answered from the cache, run, or decided when the stages it waits for have run."""

    stage: str
    title: str
    fate: Literal["cached", "run", "wait"]
    reason: str = ""


class Plan:
    """Stages that answer tasks from the store and run none.

    The key of a task is known when its inputs are there. One that waits for others may still be answered from the
    cache, if these make what they made before; it is sure to run where the store has nothing that was made in its way
    from any inputs."""

    def __init__(self) -> None:
        self.tasks: list[Planned] = []
        self._store = open_store()
        self._provenances: dict[str, Provenances] = {}

    async def run(self, stage: str, task: CachedTask[..., R], *arguments: Any, label: str = "") -> R:
        """References to what a task has made, or stand-ins for what is not there yet."""
        step = task.step
        given = step.bind(*arguments)
        title, before = step.title.format(**given, **{EXECUTION: Execution(label=label)}), stages_before(given)
        provenance = step.provenance(given)
        key = "" if before else provenance.key(step.kind)
        keys = step.artifact_keys(key, given)
        found = None if before else self._store.find(step.kind, keys)
        if found is not None:
            self.tasks.append(Planned(stage=stage, title=title, fate="cached"))
            whole: R = step.result(found)
            return whole
        reason = self._compare(step.kind, provenance, surely=not before)
        if reason is None:
            self.tasks.append(Planned(stage=stage, title=title, fate="wait", reason=f"for {_list(sorted(before))}"))
        else:
            self.tasks.append(Planned(stage=stage, title=title, fate="run", reason=f"since {reason}"))
            before = frozenset({stage})
        awaited: R = step.result([Awaited(step.kind, key, "", before) for key in keys])
        return awaited

    def _compare(self, kind: str, provenance: Provenance, *, surely: bool) -> str | None:
        """Why a task has to run that is not cached; None where it has not `surely` to."""
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
        return _tell(differences) or "it is damaged or was deleted"

    def __str__(self) -> str:
        """Stage by stage: how many tasks are cached, which run and why, and which wait for what."""
        lines = []
        stages = dict.fromkeys(task.stage for task in reversed(self.tasks))  # a stage is over with its last task
        for stage in reversed(stages):
            mine = [task for task in self.tasks if task.stage == stage]
            lines.append(f"{stage}: {sum(task.fate == 'cached' for task in mine)} of {len(mine)} cached")
            for why in dict.fromkeys((task.fate, task.reason) for task in mine if task.fate != "cached"):
                titles = [task.title for task in mine if (task.fate, task.reason) == why]
                lines.append(f"  {len(titles)} {' '.join(why)}")
                if len(titles) < len(mine):
                    lines.append(f"      {_list(titles)}")
        return "\n".join([*lines, self._total()])

    def _total(self) -> str:
        fates = Counter(task.fate for task in self.tasks)
        if fates["cached"] == len(self.tasks):
            return f"all {len(self.tasks)} tasks are in the cache: nothing would be computed"
        waiting = f", {fates['wait']} wait: they run too unless what comes before them comes out as it did"
        return (
            f"{len(self.tasks)} tasks: {fates['cached']} cached, {fates['run']} run{waiting if fates['wait'] else ''}"
        )


def _tell(differences: list[Difference]) -> str:
    """What is different now from what was nearest."""
    settings, inputs, code, versions = (
        {name: f"{name} {_show(was)} → {_show(now)}" for part, name, was, now in differences if part == wanted}
        for wanted in PARTS
    )
    if settings:  # other settings reach other code, which has not changed by that
        both = {difference.name for difference in differences if None not in (difference.was, difference.now)}
        code = {name: text for name, text in code.items() if name in both}
    in_lists = {name for name in settings if re.search(r"\.\d", name)}  # what stands in a list is told as that list
    others = list(dict.fromkeys(re.sub(r"\.\d.*", "", name) for name in [*inputs, *in_lists]))
    told = [text for name, text in settings.items() if name not in in_lists and name not in inputs]
    if others:
        told.append(f"other {_list(others)}")
    if code:
        told.append(f"changed code of {_list(list(code), most=MAX_DEFINITIONS)}")
    return "; ".join([*told, *versions.values()])


def _show(text: str | None) -> str:
    """A setting's value as a person reads it."""
    if text is None:
        return "absent"
    value = json.loads(text)
    if isinstance(value, list) and len(value) > 2 and value == [*range(value[0], value[0] + len(value))]:
        return f"{value[0]}–{value[-1]}"
    shown = "none" if value is None else value if isinstance(value, str) else text
    return shown if len(shown) <= MOST_SIGNS else f"{shown[:MOST_SIGNS]}…"


def _list(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
