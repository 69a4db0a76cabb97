"""What networks make of numbers and dates that they never read."""

import numpy as np
import pytest

from lisor.data.translation import TranslationData
from lisor.networks import training
from lisor.networks.completion import complete
from lisor.report.translation_section import split_at
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from lisor.settings.translation import TranslationSettings


@pytest.mark.slow
def test_a_network_writes_numbers_that_it_never_read():
    dataset = TranslationData().build(TranslationSettings(translation="numbers:999"), {})
    models = ModelsSettings(cells=("gru",), hidden_size=64)
    settings = TrainingSettings(learning_rate=0.003, batch_size=16, patience=30, max_epochs=200)
    (network,) = training.train(dataset, cell="gru", models=models, settings=settings, trials=[0])
    sources, targets = split_at(dataset.splits["test"].sequences, dataset.separator)
    drawn, ended = complete(network, sources, max_length=5)
    right = np.array(drawn.keys()) == np.array(targets.keys())
    assert (right & ended).mean() >= 0.95
