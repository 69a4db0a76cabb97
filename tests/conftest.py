"""What many tests share: a data set of "000", a network trained on it, and the hidden states that
it leaves behind."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.data.dataset import Dataset
from lisor.data.words import build
from lisor.networks import hidden_states, training
from lisor.networks.classifier import Architecture, Classifier
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

# As the command line has it. Prefect reads it once, so it is set before any test module imports
# Prefect.
os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"

settings.register_profile(
    "usual", deadline=None, derandomize=True, max_examples=60
)  # the same on every machine
settings.register_profile(
    "thorough", deadline=None, max_examples=1000
)  # pytest --hypothesis-profile thorough
settings.load_profile("usual")


COSTLY = ("prefect_server", "runs", "browser", "site")
"""Fixtures that are made once: one process runs all tests that need one of them, the first."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        needed = [name for name in COSTLY if name in getattr(item, "fixturenames", ())]
        if needed:
            item.add_marker(pytest.mark.xdist_group(needed[0]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """pytest-xdist uses the cores. Said before every test, since numba's own threads, which aeon
    loads, unsay it."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def words() -> Dataset:
    """Words over 0 and 1, accepted where they contain 000."""
    sizes = {"train": 1000, "validation": 200, "selection": 100, "test": 100}
    return build(LANGUAGES["000"], sizes=sizes, max_length=12, balanced=True, seed=0)


@pytest.fixture(scope="session")
def network(words: Dataset) -> TrainedModel:
    """A network that has learned `words`."""
    return train_quickly(words, max_epochs=40, batch_size=128)


@pytest.fixture(scope="session")
def members() -> Dataset:
    """Words of (ab|c)*, of which the next symbol is to be said."""
    return lisor.words("regex:(ab|c)*", alphabet="abc", target="next", max_length=16)


@pytest.fixture(scope="session")
def language_model(members: Dataset) -> TrainedModel:
    """A network that says what comes next in `members`."""
    return train_quickly(members)


@pytest.fixture(scope="session")
def dumped(
    words: Dataset, network: TrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> HiddenStates:
    """The hidden states of `network` on the validation split of `words`."""
    folder = tmp_path_factory.mktemp("dump")
    hidden_states.dump(network, words, folder)
    return HiddenStates(folder=folder)


def train_quickly(
    dataset: Dataset,
    *,
    cell: str = "gru",
    hidden_size: int = 8,
    max_epochs: int = 10,
    batch_size: int = 64,
) -> TrainedModel:
    """A network that learns a small language in a second or two."""
    settings = TrainingSettings(
        learning_rate=0.05, batch_size=batch_size, max_epochs=max_epochs, device="cpu"
    )
    models = ModelsSettings(hidden_size=hidden_size)
    return training.train(dataset, cell=cell, models=models, settings=settings, trials=[0])[0]


def random_network(
    cell: str = "gru", *, symbols: int = 2, classes: int = 2, hidden_size: int = 4, seed: int = 0
) -> TrainedModel:
    """An untrained network that reads one-hot symbols and rarely answers two words alike."""
    architecture = Architecture(
        cell=cell,
        symbols=symbols,
        classes=classes,
        hidden_size=hidden_size,
        vector_size=symbols,
        learned_vectors=False,
    )
    stack = Classifier(architecture, [seed], vectors=torch.eye(symbols))
    return TrainedModel(
        architecture=architecture,
        weights=stack.trial_weights(0),
        alphabet=tuple(map(str, range(symbols))),
        classes=tuple(f"class {i}" for i in range(classes)),
        seed=seed,
        history={"train_loss": [0.7]},
        best_epoch=0,
    )
