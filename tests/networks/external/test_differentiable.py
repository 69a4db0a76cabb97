"""Gradients through modules that know nothing of lisor."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lisor.errors import ModelError
from lisor.networks.external.differentiable import ROWS, DifferentiableModule
from lisor.networks.external.layout import Layout
from lisor.networks.external.module import ModuleNetwork
from lisor.networks.external.reading import Meaning, make_reading
from lisor.networks.external.stepped import SteppedNetwork
from lisor.sequences import Sequences
from tests.explain.conftest import Counter
from tests.networks.external.catalogue import MODULES, MORE, AttentionPooling, Entry
from tests.networks.external.test_meanings import CharacterModel, Sum
from tests.plain import Acceptor

HIDDEN = ("jit-scripted", "quantised")
"""Modules in which it is not seen where symbols become numbers."""

CATALOGUE = {**MODULES, **MORE}


def made(entry: Entry) -> nn.Module:
    torch.manual_seed(0)
    return entry.after(entry.build().eval())


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in HIDDEN])
def test_gradients_go_back_through_every_module_that_others_write(name: str) -> None:
    network = ModuleNetwork(made(CATALOGUE[name]), ("0", "1"))
    through = network.differentiable()
    words = torch.randint(2, (5, 6), generator=torch.Generator().manual_seed(0))
    vectors = through.vectors(words[None]).requires_grad_()
    scores = through.scores(words[None], vectors)
    sequences = Sequences.from_lists(words.numpy())
    after = network.predict(sequences).reshape(5, -1, len(network.classes))[:, -1]
    np.testing.assert_allclose(scores.detach().exp(), after, atol=1e-4)
    (gradient,) = torch.autograd.grad(scores[:, 0].sum(), vectors)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum(dim=2).max() > 0
    labels = torch.zeros(5, 6 if network.target == "step" else 1, dtype=torch.long)
    by_parameter = through.parameter_gradients(words[None], labels)
    assert any(gradient.abs().max() > 0 for gradient in by_parameter.values())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize("name", HIDDEN)
def test_where_lookups_are_not_seen_the_reason_is_given(name: str) -> None:
    network = ModuleNetwork(made(CATALOGUE[name]), ("0", "1"))
    with pytest.raises(ModelError, match=r"no gradients go back .* to its symbols"):
        network.differentiable()


def test_gradients_are_those_of_the_module_by_its_embedding() -> None:
    torch.manual_seed(0)
    module = Acceptor().eval()
    through = ModuleNetwork(module, ("0", "1")).differentiable()
    words = torch.randint(2, (ROWS + 3, 7))
    vectors = through.vectors(words[None]).requires_grad_()
    torch.testing.assert_close(vectors.detach(), module.embedding(words).detach())
    scores = through.scores(words[None], vectors)
    (found,) = torch.autograd.grad((scores[:, 1] - scores[:, 0]).sum(), vectors)
    embedded = module.embedding(words).detach().requires_grad_()
    output, _ = module.layer(embedded)
    (expected,) = torch.autograd.grad(module.linear(output[:, -1]).sum(), embedded)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


class Table(Acceptor):
    """Looks its vectors up in a table of its own."""

    def forward(self, symbols: Tensor) -> Tensor:
        output, _ = self.layer(self.embedding.weight[symbols])
        return self.linear(output[:, -1]).squeeze(-1)


class Numbers(nn.Module):
    """Reads the symbols' numbers themselves, and where they are not 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(2, 4, batch_first=True)
        self.linear = nn.Linear(4, 1)

    def forward(self, symbols: Tensor) -> Tensor:
        read = torch.stack([symbols.float(), (symbols != 0).float()], dim=-1)
        output, _ = self.layer(read)
        return self.linear(output[:, -1])


class Bigrams(Acceptor):
    """Looks up what two symbols make together."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4, 4)

    def forward(self, symbols: Tensor) -> Tensor:
        before = nn.functional.pad(symbols, (1, 0))[:, :-1]
        output, _ = self.layer(self.embedding(symbols + 2 * before))
        return self.linear(output[:, -1]).squeeze(-1)


class CutOff(Acceptor):
    """Lets no gradient through."""

    @torch.no_grad()
    def forward(self, symbols: Tensor) -> Tensor:
        return super().forward(symbols)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Table, Numbers])
def test_a_table_and_numbers_are_seen_too(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    through = ModuleNetwork(kind().eval(), ("0", "1")).differentiable()
    words = torch.tensor([[0, 1, 1]])
    vectors = through.vectors(words[None]).requires_grad_()
    (gradient,) = torch.autograd.grad(through.scores(words[None], vectors)[:, 0].sum(), vectors)
    assert (gradient.abs().sum(dim=2) > 0).all()


@pytest.mark.parametrize(
    ("kind", "why"), [(Bigrams, "what several symbols make"), (CutOff, r"no_grad, detach")]
)
def test_other_modules_are_refused_with_the_reason(kind: type[nn.Module], why: str) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    seen = np.array([[-1.0], [1.0]], np.float32)
    reading = make_reading("class", seen, seen, alphabet="01", classes=None, end=None)
    with pytest.raises(ModelError, match=why):
        DifferentiableModule(
            module, "it", 2, Layout(module, 2, None), reading, torch.tensor([], dtype=torch.long)
        )


def test_an_object_has_no_gradients_and_no_attention() -> None:
    counter = SteppedNetwork(Counter(), ("0", "1"))
    with pytest.raises(ModelError, match="Counter is no torch module"):
        counter.differentiable()
    with pytest.raises(ModelError, match="no attention"):
        counter.attention(Sequences.from_lists([[0]]))


def test_attention_over_steps_is_read_off_the_states() -> None:
    torch.manual_seed(0)
    module = AttentionPooling().eval()
    network = ModuleNetwork(module, ("0", "1"))
    words = Sequences.from_lists([[0, 1, 1, 0, 1], [1], [], [1, 0]])
    for word, found in zip(words, network.attention(words), strict=True):
        if len(word):
            outputs, _ = module.gru(module.embedding(torch.from_numpy(word.astype(np.int64))[None]))
            expected = torch.softmax(module.attention(outputs), dim=1)[0, :, 0]
            np.testing.assert_allclose(found, expected.detach(), atol=1e-4)
        else:
            assert found.size == 0
    with pytest.raises(ModelError, match="does not weigh its steps"):
        ModuleNetwork(Acceptor().eval(), ("0", "1")).attention(words)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("begin", [None, "<s>"])
def test_gradients_go_back_from_what_comes_next_past_the_symbol_in_front(
    begin: str | None, last: bool
) -> None:
    torch.manual_seed(0)
    module = CharacterModel(4, 5, last=last).eval()
    network = ModuleNetwork(
        module, ("a", "b", "c", "<s>"), None, Meaning(target="next", begin=begin)
    )
    through = network.differentiable()
    words = torch.randint(3, (5, 6), generator=torch.Generator().manual_seed(0))
    vectors = through.vectors(words[None]).requires_grad_()
    torch.testing.assert_close(vectors.detach(), module.embedding(words).detach())
    scores = through.scores(words[None], vectors)
    sequences = Sequences.from_lists(words.numpy())
    after = network.predict(sequences).reshape(5, 7, 5)[:, -1]
    np.testing.assert_allclose(scores.detach().exp(), after, atol=1e-5)
    labels = torch.randint(5, (5, 7), generator=torch.Generator().manual_seed(1))
    found = through.parameter_gradients(words[None], labels)["linear.bias"]
    front = torch.full((5, 1 if begin else 0), 3)
    outputs = module(torch.cat([front, words], dim=1)).reshape(5, -1, 5)
    known = labels[:, -outputs.shape[1] :]
    loss = cross_entropy(outputs.flatten(0, 1), known.flatten())
    torch.testing.assert_close(found, torch.autograd.grad(loss, module.linear.bias)[0])


@pytest.mark.parametrize("last", [False, True])
def test_gradients_go_back_from_numbers(last: bool) -> None:
    torch.manual_seed(0)
    module = Sum(last=last).eval()
    meaning = Meaning(target="regression" if last else "number")
    through = ModuleNetwork(module, ("0", "1"), None, meaning).differentiable()
    words = torch.randint(2, (5, 6), generator=torch.Generator().manual_seed(0))
    vectors = through.vectors(words[None]).requires_grad_()
    scores = through.scores(words[None], vectors)
    outputs = module(words).reshape(5, -1, 1)
    torch.testing.assert_close(scores.float(), outputs[:, -1])
    labels = torch.ones(outputs.shape, dtype=torch.float64)
    found = through.parameter_gradients(words[None], labels)["linear.bias"]
    loss = (outputs - 1).square().mean()
    torch.testing.assert_close(found, torch.autograd.grad(loss, module.linear.bias)[0])
