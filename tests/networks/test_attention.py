import numpy as np
import pytest
import torch
from torch import nn

from lisor.clustering import clustering
from lisor.data import words
from lisor.data.dataset import Dataset
from lisor.errors import AutomatonError, ConfigError, ModelError
from lisor.networks import hidden_states, training
from lisor.networks.attention import AttentionRecurrent
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel
from lisor.registry import RECURRENT
from lisor.sequences import Sequences
from lisor.settings.clustering import ClusteringSettings
from lisor.settings.experiment import Study
from lisor.settings.extraction import ExtractionSettings
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.extracting import extract

R, B, T, D, H = 2, 3, 7, 5, 4


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(R)]


@pytest.fixture(scope="module")
def trained() -> tuple[TrainedModel, Dataset]:
    sizes = {"train": 300, "validation": 80, "selection": 40, "test": 40}
    data = words.from_settings(LanguageSettings(language="000", max_length=8, **sizes))
    models, config = (
        ModelsSettings(cells=(RECURRENT,), hidden_size=8),
        TrainingSettings(max_epochs=4, restarts=0),
    )
    return training.train(data, cell=RECURRENT, models=models, settings=config, trials=[0, 1])[
        1
    ], data


def test_recurrent_attention_agrees_with_its_equations() -> None:
    cell = AttentionRecurrent(D, H, generators())
    for parameter in cell.parameters():
        nn.init.normal_(
            parameter,
            generator=torch.Generator().manual_seed(len(parameter.shape) + parameter.shape[1]),
        )
    inputs = torch.randn(R, T, B, D, generator=torch.Generator().manual_seed(1))
    state, found = cell.initial_state(B), []
    for step in range(T):
        state = cell.step(state, cell.project(inputs[:, step]))
        found.append(state[0].detach().numpy())
    weight = {
        name: parameter.detach().double().numpy() for name, parameter in cell.named_parameters()
    }
    for trial in range(R):
        own = {name: value[trial] for name, value in weight.items()}
        for row in range(B):
            earlier, h = [], np.zeros(H)
            for step in range(T):
                context = np.zeros(H)
                if earlier:
                    scores = [
                        np.tanh(h @ own["query_weight"] + each @ own["key_weight"]) @ own["score"]
                        for each in earlier
                    ]
                    powers = np.exp(np.ravel(scores))
                    context = powers / powers.sum() @ np.array(earlier)
                x = inputs[trial, step, row].double().numpy()
                sums = (
                    h @ own["hidden_weight"]
                    + x @ own["input_weight"]
                    + context @ own["context_weight"]
                )
                h = np.tanh(sums + own["bias"][0])
                earlier.append(h)
                np.testing.assert_allclose(found[step][trial, row], h, atol=1e-5)


def test_padding_and_company_change_no_answer(trained: tuple[TrainedModel, Dataset]) -> None:
    network, data = trained
    sequences = data.splits["test"].sequences
    together = network.predict(sequences)
    alone = [network.predict(Sequences.from_lists([sequence]))[0] for sequence in sequences]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_dump_holds_what_the_network_answers_after_each_step(
    trained: tuple[TrainedModel, Dataset], tmp_path
) -> None:
    network, data = trained
    hidden_states.dump(network, data, tmp_path)
    dump = HiddenStates(folder=tmp_path)
    points, sequences = dump.read(), data.splits["validation"].sequences
    prefixes = [
        sequences[s][:t]
        for s, t in zip(points.sequence.tolist(), points.step.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(
        points.prediction, network.predict(Sequences.from_lists(prefixes)).argmax(axis=1)
    )
    np.testing.assert_array_equal(
        dump.predictions()["test"].predictions,
        network.predict(data.splits["test"].sequences).argmax(axis=1),
    )
    again = hidden_states.collect(network, sequences)
    np.testing.assert_array_equal(again.prediction, points.prediction)
    assert points.cell_state is None


def test_a_written_network_answers_as_before(
    trained: tuple[TrainedModel, Dataset], tmp_path
) -> None:
    network, data = trained
    network.write(tmp_path)
    sequences = data.splits["test"].sequences
    np.testing.assert_array_equal(
        TrainedModel.read(tmp_path).predict(sequences), network.predict(sequences)
    )


def test_its_automaton_answers_as_the_network_does_most_often_in_a_state(
    trained: tuple[TrainedModel, Dataset],
) -> None:
    network, data = trained
    points = hidden_states.collect(network, data.splits["validation"].sequences)
    (block,) = clustering.cluster(points, [6], method="kmeans", seed=0)
    found = extract(network, points, block, unseen="stay").automaton
    assert points.prediction is not None
    for cluster in range(6):
        answers = np.bincount(points.prediction[block.labels == cluster], minlength=2)
        assert answers[found.outputs[cluster + 1]] == answers.max()
    assert found.outputs[0] == network.predict(Sequences.from_lists([[]])).argmax()


@pytest.mark.parametrize("rule", ["dynamics", "dithered", "weighted"])
def test_rules_that_step_from_a_state_alone_say_why_they_cannot(
    trained: tuple[TrainedModel, Dataset], rule: str
) -> None:
    network, data = trained
    points = hidden_states.collect(network, data.splits["validation"].sequences)
    (block,) = clustering.cluster(points, [3], method="kmeans", seed=0)
    with pytest.raises(
        AutomatonError, match=f"{rule}.*a hidden state alone.*{network.architecture.cell}"
    ):
        extract(network, points, block, rule=rule)


def test_what_needs_a_state_alone_is_refused(trained: tuple[TrainedModel, Dataset]) -> None:
    network, _ = trained
    state = (np.zeros((1, 8), np.float32),)
    for ask in (
        lambda: network.probabilities(state[0]),
        lambda: network.advance(state, np.zeros(1, int)),
        lambda: next(network.successors(state)),
        lambda: network.predict_from(state, Sequences.from_lists([[0]])),
        lambda: network.is_accepting(network.initial_state()),
    ):
        with pytest.raises(ModelError, match="more than its hidden state"):
            ask()


def test_settings_without_a_possible_variant_are_refused() -> None:
    dataset, models = LanguageSettings(language="000"), ModelsSettings(cells=("gru", RECURRENT))
    Study(dataset=dataset, models=models)
    with pytest.raises(ConfigError, match=f"{RECURRENT} answers from more"):
        Study(dataset=dataset, models=models, extraction=ExtractionSettings(rules=("dynamics",)))
    with pytest.raises(ConfigError, match="one of kmeans, kmeans-x"):
        Study(
            dataset=dataset, models=models, clustering=ClusteringSettings(methods=("sensitivity",))
        )


def test_the_variants_of_a_network_are_those_that_are_possible() -> None:
    study = Study(
        dataset=LanguageSettings(language="000"),
        clustering=ClusteringSettings(methods=("sensitivity", "kmeans")),
        extraction=ExtractionSettings(rules=("dynamics", "majority", "refined")),
    )
    every = (("sensitivity", "kmeans"), ("dynamics", "majority", "refined"))
    for name in ("gru", "attention-gru", "mean-lstm", "max-sru"):
        assert study.variants(name) == every
    assert study.variants(RECURRENT) == (("kmeans",), ("majority",))
