"""How much memory a study needs at least, as far as its settings say, so that what cannot be is refused beforehand."""

from __future__ import annotations

import os

from lisor.config import Experiment, Study
from lisor.errors import ConfigError
from lisor.names import ATTENTION

BLOCK = 10
"""Trials that are trained side by side at most."""

_BLOCKS = {"srn": 1, "mgu": 2, "gru": 3, "lstm": 4, "mingru": 2, "sru": 4}
"""Matrices of hidden size by hidden size of each cell; those in two layers have them in halves."""

_COPIES = 4
"""Of each weight: itself, its gradient, and the two means of Adam (Kingma & Ba, 2015)."""

_FLOAT = 4
_WORD = 400
"""Bytes of a word of a language beside its symbols: arrays and the keys by which words are known."""


def check_fits(plan: Experiment) -> None:
    """Refuse an experiment that this machine cannot hold in its memory.

    Raises:
        ConfigError: a study needs more; the message names the setting that asks for most of it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for study in plan.studies:
        needs = footprint(study)
        name = max(needs, key=lambda setting: needs[setting])
        if needs[name] > memory:
            raise ConfigError(
                f"{name} of {study.dataset.name} needs about {needs[name] / 1e9:,.0f} GB of memory, "
                f"and this machine has {memory / 1e9:,.0f} GB; lower it"
            )


def footprint(study: Study) -> dict[str, int]:
    """The least number of bytes that each of some settings asks for; of files only what needs no look into them."""
    dataset, models = study.dataset, study.models
    needs = {"models.hidden_size": 0}
    if models.build is None:
        side_by_side = min(study.training.trials, BLOCK)
        width = models.hidden_size + (models.vector_size if dataset.text is not None else 1)
        cells = [cell.removeprefix(ATTENTION) for cell in models.cells]
        largest = max(_BLOCKS.get(cell, 1) for cell in cells)
        weights = side_by_side * largest * models.hidden_size * width
        needs["models.hidden_size"] = _COPIES * _FLOAT * weights
    if dataset.language is not None:
        length = dataset.length_limit
        sizes = {name: size for name, size in dataset.sizes.items() if size is not None}
        needs |= {f"dataset.{name}": size * (_WORD + 2 * _FLOAT * length) for name, size in sizes.items()}
        states = sizes["validation"] * length // 2 * models.hidden_size * _FLOAT
        needs["dataset.validation"] += states
    return needs
