"""How much memory a study needs at least, as far as its settings say, so that what cannot be is
refused beforehand."""

from __future__ import annotations

import os

from lisor.errors import ConfigError
from lisor.registry import CELLS, split_name
from lisor.settings.experiment import Experiment, Study
from lisor.settings.language import LanguageSettings
from lisor.settings.text import TextSettings

BLOCK = 10
"""Trials that are trained side by side at most."""

_SMALL = 1 << 28
"""Bytes that every machine has: below, no cell is asked for its gates, which loads torch."""

_COPIES = 4
"""Of each weight: itself, its gradient, and the two means of Adam (Kingma & Ba, 2015)."""

_FLOAT = 4
_WORD = 400
"""Bytes of a word of a language beside its symbols: arrays and the keys by which words are
known."""


def check_fits(plan: Experiment) -> None:
    """Refuse an experiment that this machine cannot hold in its memory.

    Raises:
        ConfigError: a study needs more; the message names the setting that asks for most of it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for study in plan.studies:
        needs = least_bytes(study)
        name = max(needs, key=lambda setting: needs[setting])
        if needs[name] > memory:
            raise ConfigError(
                f"{name} of {study.dataset.name} needs about {needs[name] / 1e9:,.0f} GB of "
                f"memory, "
                f"and this machine has {memory / 1e9:,.0f} GB; lower it"
            )


def least_bytes(study: Study) -> dict[str, int]:
    """The least number of bytes that each of some settings asks for; of files only what needs no
    look into them."""
    dataset, models = study.dataset, study.models
    needs = {"models.hidden_size": 0}
    if models.build is None:
        side_by_side = min(study.training.trials, BLOCK)
        width = models.hidden_size
        width += models.vector_size if isinstance(dataset, TextSettings) else 1
        matrix = _COPIES * _FLOAT * side_by_side * models.hidden_size * width
        matrices = max(map(_matrices, models.cells)) if matrix > _SMALL else 1
        needs["models.hidden_size"] = matrices * matrix
    if isinstance(dataset, LanguageSettings):
        length = dataset.max_length
        needs |= {
            f"dataset.{name}": size * (_WORD + 2 * _FLOAT * length)
            for name, size in dataset.sizes.items()
        }
        needs["dataset.validation"] += (
            dataset.validation * length // 2 * models.hidden_size * _FLOAT
        )
    return needs


def _matrices(cell: str) -> int:
    """Matrices of hidden size by hidden size that a network has: one for the state, and one for
    each gate; cells in two layers have them in halves."""
    return 1 + len(getattr(CELLS.get(split_name(cell)[1]), "gates", ()))
