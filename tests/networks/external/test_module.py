from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset
from lisor.errors import DataWarning, ModelError
from lisor.extraction.extract import extract as extract_each
from lisor.extraction.view import View
from lisor.networks import hidden_states
from lisor.networks.external.adapt import adapt
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel
from lisor.registry import RULES
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.plain import Acceptor, train

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]
SEQUENCES = Sequences.from_lists([list(map(int, word)) for word in WORDS])

KINDS = pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])


class Copy(nn.Module):
    """A network of ours as others would write it: one-hot vectors, one layer, a linear read-out."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        cell, a = model.network.cell, model.architecture
        kind = {"srn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[a.cell]
        self.layer = kind(a.vector_size, a.hidden_size, batch_first=True)
        self.linear = nn.Linear(a.hidden_size, a.classes)
        self.symbols = a.symbols
        with torch.no_grad():
            self.layer.weight_ih_l0.copy_(cell.input_weight[0].T)
            self.layer.weight_hh_l0.copy_(cell.hidden_weight[0].T)
            self.layer.bias_ih_l0.copy_(cell.bias.flatten())
            self.layer.bias_hh_l0.zero_()
            if a.cell == "gru":
                self.layer.bias_hh_l0[2 * a.hidden_size :] = cell.candidate_bias.flatten()
            self.linear.weight.copy_(model.network.output_weight[0].T)
            self.linear.bias.copy_(model.network.output_bias.flatten())

    def forward(self, symbols):
        _, last = self.layer(nn.functional.one_hot(symbols, self.symbols).float())
        return self.linear((last[0] if isinstance(last, tuple) else last)[-1])


@pytest.mark.parametrize("cell", ["srn", "gru", "lstm"])
def test_a_module_with_the_weights_of_a_network_has_its_states_and_answers(cell):
    model = random_network(cell, symbols=3, classes=3)
    other = adapt(Copy(model), model.alphabet)
    words = Sequences.join([SEQUENCES, Sequences.from_lists([[], [2, 2, 1]])])
    own, theirs = (hidden_states.collect(network, words) for network in (model, other))
    for name in ("sequence", "step", "symbol"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(own, name))
    np.testing.assert_allclose(theirs.state, own.state, atol=1e-5)
    assert (theirs.cell_state is None) == (own.cell_state is None)
    if cell == "lstm":
        np.testing.assert_allclose(theirs.cell_state, own.cell_state, atol=1e-5)
    np.testing.assert_allclose(other.predict(words), model.predict(words), atol=1e-5)
    np.testing.assert_allclose(
        other.probabilities(own.state), model.probabilities(own.state), atol=1e-5
    )


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_and_it_has_the_same_automata_by_every_rule(cell, words: Dataset):
    model = random_network(cell, hidden_size=6, seed=3)
    other = adapt(Copy(model), model.alphabet, model.classes)
    sequences = words.splits["validation"].sequences
    points = hidden_states.collect(model, sequences)
    (clustering,) = cluster(points, [5], method="kmeans", seed=0)
    theirs = hidden_states.collect(other, sequences)
    rules = [name for name, rule in RULES.items() if not rule.searches and not rule.reads_numbers]
    for own, found in zip(
        extract_each(View(network=model, points=points, clustering=clustering), rules),
        extract_each(View(network=other, points=theirs, clustering=clustering), rules),
        strict=True,
    ):
        np.testing.assert_array_equal(
            found.automaton.classify(sequences), own.automaton.classify(sequences)
        )
        if RULES[own.rule].deterministic:
            np.testing.assert_array_equal(found.automaton.transitions, own.automaton.transitions)
            np.testing.assert_array_equal(found.automaton.outputs, own.automaton.outputs)


@KINDS
@pytest.mark.parametrize("time_first", [False, True])
def test_states_stepped_and_read_out_give_the_modules_own_answers(kind, time_first):
    torch.manual_seed(1)
    module = Acceptor(kind, time_first=time_first)
    network = adapt(module, "01")
    for length in (1, 4, 9):
        words = np.random.default_rng(length).integers(2, size=(20, length))
        symbols = torch.from_numpy(words)
        with torch.no_grad():
            own = torch.sigmoid(module(symbols.T if time_first else symbols)).numpy()
        np.testing.assert_allclose(
            network.predict(Sequences.from_lists(list(words)))[:, 1], own, atol=1e-5
        )


def test_the_state_is_that_of_all_layers_and_the_dump_names_them(words: Dataset, tmp_path):
    module = Acceptor(nn.LSTM, layers=3)
    network = adapt(module, words.alphabet, words.classes)
    hidden_states.dump(network, words, tmp_path)
    dump = HiddenStates(folder=tmp_path)
    assert dump.layers == ("lstm layer 1", "lstm layer 2", "lstm layer 3")
    points, word = dump.read(), words.splits["validation"].sequences[7]
    with torch.no_grad():
        _, (h, c) = module.layer(module.embedding(torch.from_numpy(np.array(word, np.int64))[None]))
    last = np.flatnonzero(points.sequence == 7)[-1]
    np.testing.assert_allclose(points.state[last], h[:, 0].flatten(), atol=1e-6)
    np.testing.assert_allclose(points.cell_state[last], c[:, 0].flatten(), atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [
        nn.GRU,
        pytest.param(nn.RNN, marks=pytest.mark.slow),
        pytest.param(nn.LSTM, marks=pytest.mark.slow),
    ],
)
def test_a_plain_network_of_two_layers_becomes_an_exact_automaton(kind):
    torch.manual_seed(0)
    automaton = lisor.extract(train(Acceptor(kind)), WORDS)
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4


def test_a_module_is_left_as_it_was():
    module = train(Acceptor(), 20)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    adapt(module, "01").predict(SEQUENCES)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training
    assert not module.layer._forward_hooks
    assert not module.layer._forward_pre_hooks


class Begun(Acceptor):
    """Begins in a learned state, and looks at all layers' last states."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Parameter(torch.randn(2, 1, 8))
        self.both = nn.Sequential(
            nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3), nn.LogSoftmax(dim=1)
        )

    def forward(self, symbols):
        begin = self.begin.expand(2, len(symbols), 8).contiguous()
        output, last = self.layer(self.embedding(symbols), begin)
        return self.both(last.transpose(0, 1).flatten(1)), output


def test_any_read_out_and_a_learned_initial_state_will_do():
    module = Begun()
    network = adapt(module, "01")
    assert network.classes == ("0", "1", "2")
    np.testing.assert_allclose(
        network.initial[0], module.begin.detach().flatten(0)[None], atol=1e-6
    )
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = module(words)[0].exp()
    np.testing.assert_allclose(
        network.predict(Sequences.from_lists(words.tolist())), own, atol=1e-5
    )


class Vectors(nn.Module):
    """Reads one-hot vectors itself, and answers with a probability."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.GRU(2, 4), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())

    def forward(self, vectors):
        return self.out(self.layer(vectors)[0][-1])


def test_a_module_that_reads_one_hot_vectors_is_given_them():
    module = Vectors()
    network = adapt(module, "01")
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = module(nn.functional.one_hot(words.T, 2).float())[:, 0]
    np.testing.assert_allclose(
        network.predict(Sequences.from_lists(words.tolist()))[:, 1], own, atol=1e-6
    )


class Around(Acceptor):
    """The last symbol has a way around the layer."""

    def forward(self, symbols):
        return super().forward(symbols) + self.embedding(symbols)[:, -1, 0]


class AroundWithProbability(Around):
    def forward(self, symbols):
        return super().forward(symbols).sigmoid()


class CellRead(Acceptor):
    def forward(self, symbols):
        return self.linear(self.layer(self.embedding(symbols))[1][1][-1])


class Unused(Acceptor):
    """A second layer that nothing comes of."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.GRU(4, 2, batch_first=True)

    def forward(self, symbols):
        self.second(self.embedding(symbols))
        return super().forward(symbols)


class Projected(Acceptor):
    """An LSTM whose hidden state is smaller than its cell state."""

    def __init__(self) -> None:
        super().__init__(nn.LSTM, proj_size=3)
        self.linear = nn.Linear(3, 1)


class FirstUnlike(nn.Module):
    """A loop whose first step is unlike its others, into a tensor that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(2, 6), nn.Linear(6, 6)
        self.linear = nn.Linear(6, 3)

    def forward(self, symbols):
        read, outputs = self.embedding(symbols), torch.empty(*symbols.shape, 6)
        state = torch.tanh(read[:, 0])
        outputs[:, 0] = state
        for step in range(1, symbols.shape[1]):
            state = torch.tanh(read[:, step] + self.hidden(state))
            outputs[:, step] = state
        return self.linear(outputs[:, -1]).softmax(dim=-1)


class PooledInEveryWay(nn.Module):
    """The last, the mean and the largest normed state, and two sums that are weighted by scores of
    one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(2, 4), nn.LSTM(4, 8, batch_first=True)
        self.norm, self.inner = nn.LayerNorm(8), nn.Linear(8, 5)
        self.first, self.second = nn.Linear(5, 1, bias=False), nn.Linear(8, 1)
        self.linear = nn.Linear(40, 1)

    def forward(self, symbols):
        states = self.norm(self.layer(self.embedding(symbols))[0])
        first = self.first(torch.tanh(self.inner(states))).squeeze(-1).softmax(-1)
        second = self.second(states).softmax(1)
        pooled = [states[:, -1], states.mean(1), states.max(1).values]
        pooled.append(torch.bmm(first.unsqueeze(1), states).squeeze(1))
        pooled.append(torch.einsum("btk,bth->bkh", second, states).flatten(1))
        return self.linear(torch.cat(pooled, dim=1))


class MaskedMean(Acceptor):
    """A mean over steps as it is written for padded sequences."""

    def forward(self, symbols, lengths):
        states = self.layer(self.embedding(symbols))[0]
        mask = (torch.arange(symbols.shape[1]) < lengths[:, None]).unsqueeze(-1).float()
        return self.linear((states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)).squeeze(-1)


class Summed(Acceptor):
    def forward(self, symbols):
        states = self.layer(self.embedding(symbols))[0]
        return self.linear((states * states.sigmoid()).sum(1)).squeeze(-1)


class LastAndPooled(Acceptor):
    """The last state, as the layer returns it, beside what is pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(24, 1)

    def forward(self, symbols):
        states, last = self.layer(self.embedding(symbols))
        pooled = [last[-1], states.max(1).values, states.mean(1)]
        return self.linear(torch.cat(pooled, dim=1)).squeeze(-1)


class RunningMax(nn.Module):
    """A loop that keeps the largest of its states, which begins at none."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(2, 4), nn.GRUCell(4, 6)
        self.linear = nn.Linear(6, 1)

    def forward(self, symbols):
        state = torch.zeros(len(symbols), 6)
        largest = torch.full_like(state, -torch.inf)
        for read in self.embedding(symbols).unbind(1):
            state = self.cell(read, state)
            largest = torch.maximum(largest, state)
        return self.linear(largest)


class InPlace(nn.Module):
    """A loop that writes its state over the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.gate = nn.Embedding(2, 6), nn.Linear(12, 6)
        self.new, self.linear = nn.Linear(12, 6), nn.Linear(6, 1)

    def forward(self, symbols):
        state = torch.zeros(len(symbols), 6)
        for read in self.embedding(symbols).unbind(1):
            both = torch.cat([read, state], 1)
            gate, new = self.gate(both).sigmoid(), self.new(both).tanh()
            state.mul_(gate).add_((1 - gate) * new)
        return self.linear(state)


class Keeping(Acceptor):
    """Begins in the state that it kept, if that is of as many words."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = None

    def forward(self, symbols):
        if self.kept is not None and self.kept.shape[1] != len(symbols):
            self.kept = None
        states, self.kept = self.layer(self.embedding(symbols), self.kept)
        return self.linear(states[:, -1]).squeeze(-1)


@pytest.mark.parametrize(
    "module",
    [MaskedMean(), Summed(), LastAndPooled(), RunningMax(), InPlace(), Around(),
     CellRead(nn.LSTM), Unused(), FirstUnlike(), PooledInEveryWay(), Projected(),
     nn.DataParallel(Acceptor())],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_its_states_on_words_of_any_length_give_the_modules_own_answers(module):
    network = adapt(module, "01")
    words = torch.from_numpy(np.random.default_rng(0).integers(2, size=(30, 40)))
    sequences = Sequences.from_lists(words.tolist())
    lengths = (torch.full((30,), 40),) * isinstance(module, MaskedMean)
    with torch.no_grad():
        own = module(words, *lengths)
    own = own if own.ndim > 1 and own.shape[1] > 1 else torch.sigmoid(own).reshape(-1, 1)
    np.testing.assert_allclose(network.predict(sequences)[:, -own.shape[1] :], own, atol=1e-6)
    (states, _, _) = network.forward_pass(words[None], torch.full((1, 30), 40))
    assert [part.shape[-1] for part in states] == list(network.sizes)
    read = network.probabilities(states[0][-1].numpy())
    np.testing.assert_allclose(read[:, -own.shape[1] :], own, atol=1e-5)
    begin = tuple(np.repeat(part, 30, axis=0) for part in network.initial)
    after = network.predict_from(begin, sequences)
    np.testing.assert_allclose(after[:, -own.shape[1] :], own, atol=1e-5)
    single = network.predict_from(begin, sequences.select(np.array([3])))
    np.testing.assert_allclose(single, np.repeat(after[3:4], 30, axis=0), atol=1e-5)


def test_a_probability_that_is_a_part_of_the_state_is_read_as_one():
    module, words = AroundWithProbability(), torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = module(words)
    predicted = adapt(module, "01").predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predicted[:, 1], own, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_and_frozen_module_is_read_too():
    module = Acceptor(nn.LSTM).eval()
    network = adapt(torch.jit.freeze(torch.jit.script(module)), "01")
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = torch.sigmoid(module(words))
    predicted = network.predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predicted[:, 1], own, atol=1e-6)


class Tagger(Acceptor):
    def forward(self, symbols):
        return self.linear(self.layer(self.embedding(symbols))[0])


def test_a_module_that_answers_after_each_symbol_has_a_class_for_each():
    module = Tagger()
    network = adapt(module, "01")
    assert network.target == "step"
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = torch.sigmoid(module(words)).flatten()
    sequences = Sequences.from_lists(words.tolist())
    np.testing.assert_allclose(network.predict(sequences)[:, 1], own, atol=1e-6)
    _, probabilities, _ = network.forward_pass(words[None], torch.full((1, 2), 3))
    np.testing.assert_allclose(probabilities[..., 1].flatten(), own, atol=1e-6)


class Several(Acceptor):
    """Returns what a function makes of its states, its last state and its logits."""

    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, symbols):
        states = self.layer(self.embedding(symbols))[0]
        return self.make(states, states[:, -1], self.linear(states[:, -1]))


@pytest.mark.parametrize(
    "make",
    [
        lambda states, last, logits: (last, logits),
        lambda states, last, logits: (states, last, logits),
        lambda states, last, logits: (logits, states.softmax(dim=-1)),
        lambda states, last, logits: {"hidden": last, "class_logits": logits},
        lambda states, last, logits: {"pooled": (last, logits)},
    ],
)
@pytest.mark.filterwarnings("error")
def test_of_several_tensors_the_one_that_is_made_of_the_others_is_the_output(make):
    module = Several(make)
    network = adapt(module, "01")
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = torch.sigmoid(module.linear(module.layer(module.embedding(words))[0][:, -1]))
    predictions = network.predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predictions[:, 1], own[:, 0], atol=1e-6)


class Two(Acceptor):
    """Two read-outs, of which none is made of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(8, 3)

    def forward(self, symbols):
        last = self.layer(self.embedding(symbols))[0][:, -1]
        return self.other(last), self.linear(last)


def test_of_two_tensors_that_may_be_the_output_the_first_is_read_and_that_is_said():
    module = Two()
    with pytest.warns(DataWarning, match="Two returns 2 tensors that may be its outputs"):
        assert len(adapt(module, "01").classes) == 3
    # The number of classes decides, where it is known.
    network = adapt(module, "01", ["no", "yes"])
    words = torch.tensor([[0, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        own = torch.sigmoid(module(words)[1])[:, 0]
    predictions = network.predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predictions[:, 1], own, atol=1e-6)


def test_the_state_that_a_module_keeps_between_calls_is_left_as_it_was():
    module, words = Keeping(), torch.zeros(5, 3, dtype=torch.long)
    network = adapt(module, "01")
    assert module.kept is None
    with torch.no_grad():
        own = torch.sigmoid(module(words[:1]))[0]
    kept, predicted = module.kept, network.predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predicted[:, 1], np.full(5, own), atol=1e-6)
    assert module.kept is kept


class Dropped(Acceptor):
    def forward(self, symbols):
        return nn.functional.dropout(super().forward(symbols), 0.5)


class LooksBack(Acceptor):
    """Attention by which the last state asks all before it."""

    def forward(self, symbols):
        states = self.layer(self.embedding(symbols))[0]
        weights = torch.bmm(states, states[:, -1:].transpose(1, 2)).softmax(dim=1)
        return self.linear((weights * states).sum(dim=1))


class Spread(Acceptor):
    def forward(self, symbols):
        return self.linear(self.layer(self.embedding(symbols))[0].std(1, correction=0))


class Shifted(Acceptor):
    """Reads each symbol together with the one before."""

    def forward(self, symbols):
        vectors = self.embedding(symbols)
        before = nn.functional.pad(vectors, (0, 0, 1, 0))[:, :-1]
        return self.linear(self.layer(vectors + before)[0][:, -1])


class Ahead(Acceptor):
    """A convolution that is padded on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, symbols):
        vectors = self.convolution(self.embedding(symbols).transpose(1, 2))
        return self.linear(self.layer(vectors.transpose(1, 2))[0][:, -1])


class First(Acceptor):
    """Looks at the first symbol again."""

    def forward(self, symbols):
        return super().forward(symbols) + self.embedding(symbols)[:, 0, 0]


class Growing(nn.Module):
    """Self-attention: there is no state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0, batch_first=True)
        self.linear = nn.Linear(8, 1)

    def forward(self, symbols):
        return self.linear(self.layer(self.embedding(symbols))[:, -1])


class Named(Acceptor):
    def forward(self, symbols, temperature):
        return super().forward(symbols) / temperature


class Whole(Acceptor):
    """Mixes the words of a batch."""

    def forward(self, symbols):
        return super().forward(symbols).softmax(dim=0)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (LooksBack(), "come from more than the last state: bmm reads earlier steps"),
        (Spread(), "come from more than the last state: std reads earlier steps"),
        (Shifted(), "come from more than the last state: add reads earlier steps"),
        (Ahead(), "changes with the step, at conv1d output"),
        (First(), "changes with the step"),
        (Growing().eval(), "no tensor leads from one step to the next"),
        (Dropped(), "call its eval"),
        (Acceptor(dropout=0.5), "call its eval"),
        (Acceptor(bidirectional=True), "bidirectional"),
        (nn.Sequential(nn.Embedding(2, 3), nn.Linear(3, 1)), "no tensor leads from one step"),
        (Named(), "the argument 'temperature'; wrap it"),
        (Whole(), "outputs mix the words of a batch"),
        (object(), "got object"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_what_is_no_state_machine_is_refused_in_one_line(module, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        adapt(module, "01")
    assert "\n" not in str(refused.value)


def test_an_alphabet_larger_than_the_network_knows_is_refused():
    with pytest.raises(ModelError, match="called with a batch of symbols 0 … 2 raised IndexError"):
        adapt(Acceptor(), "012")


def test_weights_that_are_not_numbers_are_refused():
    module = Acceptor()
    nn.init.constant_(module.linear.bias, torch.nan)
    with pytest.raises(ModelError, match="finite"):
        adapt(module, "01")


def test_as_many_names_of_classes_are_needed_as_it_has():
    with pytest.raises(ModelError, match="expected 2 different names"):
        adapt(Acceptor(), "01", ["a", "b", "c"])


# A read-out of the cell state, and numbers of half precision


def test_an_lstm_that_is_read_out_of_its_cell_state_is_taken_with_both_as_one_state():
    torch.manual_seed(0)
    module = CellRead(nn.LSTM)
    network = adapt(module, "01")
    assert network.parts == ("state",)
    assert network.sizes == (2 * 2 * 8,)
    assert network.layers == (
        "lstm layer 1",
        "lstm layer 2",
        "lstm layer 1 cell",
        "lstm layer 2 cell",
    )
    words = torch.from_numpy(np.random.default_rng(0).integers(2, size=(20, 7)))
    with torch.no_grad():
        own = torch.sigmoid(module(words))[:, 0].numpy()
        _, (h, c) = module.layer(module.embedding(words))
    sequences = Sequences.from_lists(words.tolist())
    np.testing.assert_allclose(network.predict(sequences)[:, 1], own, atol=1e-5)
    points = hidden_states.collect(network, sequences)
    last = points.state[points.step == 7][points.sequence[points.step == 7].argsort()]
    both = torch.cat([part.transpose(0, 1).flatten(1) for part in (h, c)], dim=1)
    np.testing.assert_allclose(last, both, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(nn.RNN, torch.float64), (nn.GRU, torch.bfloat16), (nn.LSTM, torch.float16)],
)
def test_a_module_of_any_floating_type_is_taken_and_others_are_still_refused(kind, dtype):
    torch.manual_seed(1)
    adapt(Acceptor(kind).to(dtype), "01")
    with pytest.raises(ModelError, match="come from more than the last state"):
        adapt(LooksBack(kind).to(dtype), "01")


# Answers of other shapes, and faults inside a module


class Answering(Acceptor):
    """Answers with what a function makes of the answer of each step."""

    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, symbols):
        return self.make(self.linear(self.layer(self.embedding(symbols))[0]))


class OneNumber(Acceptor):
    """Reads one floating number at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(1, 8, batch_first=True)

    def forward(self, numbers):
        return self.linear(self.layer(numbers)[0][:, -1])


def leave(_: torch.Tensor) -> torch.Tensor:
    raise SystemExit


def fail(_: torch.Tensor) -> torch.Tensor:
    raise KeyError("first line\nsecond line " + 500 * "x")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Answering(torch.mean), r"got numbers of shape \[\]"),
        (Answering(lambda every: every[1:, -1]), r"got numbers of shape \[4, 1\] for 5 words"),
        (Answering(lambda every: {"logits": every.tolist()}), "got dict, without tensors"),
        (Answering(lambda every: every[:, -1].argmax(dim=1)), "whole numbers"),
        (Answering(leave), r"not as numbers \[B, T\] \(SystemExit\)"),
        (Answering(fail), "KeyError: 'first line"),
        (OneNumber(), r"\[B, T\] \(.*dtype.*\), nor as one-hot vectors \(.*Expected 1"),
    ],
    ids=["scalar", "another batch", "dict", "whole", "exit", "error", "one number"],
)  # fmt: skip
def test_a_module_that_cannot_be_read_is_refused_with_the_true_reason(module, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        adapt(module, "01")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300


class Overflowing(Acceptor):
    """Has a state that is none after five symbols."""

    def forward(self, symbols):
        return super().forward(symbols)

    def __init__(self) -> None:
        super().__init__(nn.RNN, nonlinearity="relu")
        with torch.no_grad():
            self.layer.weight_hh_l0.fill_(1e8)
            self.layer.weight_ih_l0.fill_(1e8)


def test_hidden_states_that_become_infinite_are_refused():
    with pytest.raises(ModelError, match="expected finite numbers"):
        hidden_states.collect(adapt(Overflowing(), "01"), SEQUENCES)


def test_a_network_of_other_classes_than_are_named_is_refused():
    model = random_network()
    with pytest.raises(
        ModelError, match="expected the network's own classes class 0, class 1, got no, yes"
    ):
        adapt(model, model.alphabet, ["no", "yes"])


@pytest.mark.slow
def test_an_alphabet_of_absurd_size_is_refused_in_one_line():
    module = Acceptor(nn.GRU, layers=1)
    module.embedding = nn.Embedding(20_000_000, 1)
    module.layer = nn.GRU(1, 64, batch_first=True)
    module.linear = nn.Linear(64, 1)
    names = range(5_000_000)
    with pytest.raises(
        ModelError, match="expected at most 4,194,304 symbols for states of 64 numbers"
    ):
        adapt(module, names)
