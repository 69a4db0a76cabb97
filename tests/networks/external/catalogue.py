"""Recurrent modules as people write them: the shapes of the tutorials of PyTorch, Lightning, Keras
and Hugging Face, with nothing of ours. The list is fixed: what is read here is read unchanged.

Words are over two symbols; a word's class is whether it contains 000, that of a step whether its
prefix does, and the language of the models of the next symbol is of the words that do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

VECTOR, HIDDEN = 8, 16


# Ways to hand sequences over


class Packed(nn.Module):
    """Padded words and their lengths, packed; the last state of the layer is read out."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.rnn = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, text: Tensor, text_lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(text), text_lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.rnn(packed)
        return self.fc(hidden[-1])


class PackedTimeFirst(nn.Module):
    """The same with time as the first axis, unpacked again, and the output at each last step."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.rnn = nn.GRU(VECTOR, HIDDEN)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(text), lengths.cpu(), enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0])
        return self.fc(output[lengths - 1, torch.arange(text.shape[1])])


class PacksInside(nn.Module):
    """Finds the lengths by a padding symbol of its own, numbered after the others."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.padding = symbols
        self.embedding = nn.Embedding(symbols + 1, VECTOR, padding_idx=symbols)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        lengths = (x != self.padding).sum(dim=1)
        packed = pack_padded_sequence(
            self.embedding(x), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return self.head(self.gru(packed)[1].squeeze(0))


class WithHidden(nn.Module):
    """The words and the state to begin in, which it also returns."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Embedding(symbols, VECTOR)
        self.rnn = nn.RNN(VECTOR, HIDDEN, num_layers=2, batch_first=True)
        self.decoder = nn.Linear(HIDDEN, classes)

    def init_hidden(self, batch_size: int) -> Tensor:
        return torch.zeros(2, batch_size, HIDDEN)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.encoder(x), hidden)
        return self.decoder(output[:, -1]), hidden


class OneSymbolAtATime(nn.Module):
    """The network of the tutorial on names: one one-hot symbol and a state in, log-probabilities
    and the next state out; layers alone, no recurrent one."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.hidden_size = HIDDEN
        self.i2h = nn.Linear(symbols + HIDDEN, HIDDEN)
        self.h2o = nn.Linear(HIDDEN, classes)
        self.softmax = nn.LogSoftmax(dim=1)

    def initHidden(self) -> Tensor:  # noqa: N802, as in the tutorial
        return torch.zeros(1, self.hidden_size)

    def forward(self, input: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.i2h(torch.cat((input, hidden), 1)))
        return self.softmax(self.h2o(hidden)), hidden


# What comes out


class Dict(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.classifier = nn.Linear(HIDDEN, classes)

    def forward(self, input_ids: Tensor) -> dict[str, Tensor]:
        states, _ = self.lstm(self.embed(input_ids))
        return {"last_hidden_state": states, "logits": self.classifier(states[:, -1])}


@dataclass
class Output:
    """The result of `Dataclass`."""

    loss: Tensor | None
    logits: Tensor
    hidden_states: Tensor


class Dataclass(Dict):
    def forward(self, input_ids: Tensor) -> Output:  # type: ignore[override]
        states, _ = self.lstm(self.embed(input_ids))
        return Output(None, self.classifier(states[:, -1]), states)


class Prediction(NamedTuple):
    """The result of `Named`."""

    label: Tensor
    scores: Tensor


class Named(Dict):
    """The class itself comes first, its scores second."""

    def forward(self, input_ids: Tensor) -> Prediction:  # type: ignore[override]
        scores = self.classifier(self.lstm(self.embed(input_ids))[0][:, -1])
        return Prediction(scores.argmax(dim=1), scores)


class Regressor(nn.Module):
    """One number for a word, without a last activation."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.gru(self.embedding(x))[1][-1]).squeeze(-1)


class Tagger(nn.Module):
    """Scores at each step, batch first, as log-probabilities over classes last."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.hidden2tag = nn.Linear(HIDDEN, classes)

    def forward(self, sentence: Tensor) -> Tensor:
        lstm_out, _ = self.lstm(self.word_embeddings(sentence))
        return self.hidden2tag(lstm_out).log_softmax(dim=-1)


class TaggerTimeFirst(nn.Module):
    """Scores at each step, time first."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN)
        self.hidden2tag = nn.Linear(HIDDEN, classes)

    def forward(self, sentence: Tensor) -> Tensor:
        return self.hidden2tag(self.gru(self.word_embeddings(sentence))[0])


class LanguageModel(nn.Module):
    """The network of the tutorial on word language models: time first, the state in and out, scores
    of the next symbol at each step; it begins at a symbol of its own, which also ends."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.nhid, self.nlayers = HIDDEN, 2
        self.encoder = nn.Embedding(symbols + 1, VECTOR)
        self.drop = nn.Dropout(0.1)
        self.rnn = nn.LSTM(VECTOR, HIDDEN, 2, dropout=0.1)
        self.decoder = nn.Linear(HIDDEN, symbols + 1)

    def init_hidden(self, bsz: int) -> tuple[Tensor, Tensor]:
        weight = next(self.parameters())
        zeros = weight.new_zeros(self.nlayers, bsz, self.nhid)
        return (zeros, zeros.clone())

    def forward(self, input: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        output, hidden = self.rnn(self.drop(self.encoder(input)), hidden)
        return self.decoder(self.drop(output)), hidden


# Several recurrent layers, and cells in loops


class TwoLayers(nn.Module):
    """Two layers of different kinds and sizes, one above the other."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.first = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.second = nn.GRU(HIDDEN, HIDDEN // 2, batch_first=True)
        self.fc = nn.Linear(HIDDEN // 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.first(self.embedding(x))
        x, _ = self.second(x)
        return self.fc(x[:, -1])


class EncoderDecoder(nn.Module):
    """An encoder, whose last state a decoder begins in; it reads a start symbol and answers."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols + 1, VECTOR)
        self.start = symbols
        self.encoder = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.decoder = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, classes)

    def forward(self, source: Tensor) -> Tensor:
        _, context = self.encoder(self.embedding(source))
        start = torch.full((len(source), 1), self.start, dtype=torch.long)
        decoded, _ = self.decoder(self.embedding(start), context)
        return self.out(decoded[:, -1])


class GRUCellLoop(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.cell = nn.GRUCell(VECTOR, HIDDEN)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(0), HIDDEN)
        for t in range(x.size(1)):
            h = self.cell(self.embedding(x[:, t]), h)
        return self.fc(h)


class LSTMCellLoop(nn.Module):
    """Two cells, one above the other, as in the tutorial on time sequences."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.symbols = symbols
        self.lstm1 = nn.LSTMCell(symbols, HIDDEN)
        self.lstm2 = nn.LSTMCell(HIDDEN, HIDDEN)
        self.linear = nn.Linear(HIDDEN, classes)

    def forward(self, input: Tensor) -> Tensor:
        h_t = torch.zeros(input.size(0), HIDDEN)
        c_t = torch.zeros(input.size(0), HIDDEN)
        h_t2 = torch.zeros(input.size(0), HIDDEN)
        c_t2 = torch.zeros(input.size(0), HIDDEN)
        for input_t in one_hot(input, self.symbols).float().split(1, dim=1):
            h_t, c_t = self.lstm1(input_t.squeeze(1), (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
        return self.linear(h_t2)


class MinimalCell(nn.Module):
    """A cell of one's own: one gate."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(inputs + hidden, hidden)
        self.candidate = nn.Linear(inputs + hidden, hidden)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        f = torch.sigmoid(self.gate(torch.cat([x, h], dim=-1)))
        return (1 - f) * h + f * torch.tanh(self.candidate(torch.cat([x, f * h], dim=-1)))


class OwnCellLoop(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.cell = MinimalCell(VECTOR, HIDDEN)
        self.h0 = nn.Parameter(torch.zeros(HIDDEN))
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.h0.expand(len(x), -1)
        for v in self.embedding(x).unbind(dim=1):
            h = self.cell(v, h)
        return self.fc(h)


# What is read out


class CellState(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(x))[1][1][-1])


class JoinedLayers(nn.Module):
    """The last states of all layers side by side."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, num_layers=2, batch_first=True)
        self.fc = nn.Linear(2 * HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        _, h_n = self.gru(self.embedding(x))
        return self.fc(torch.cat([h_n[-2], h_n[-1]], dim=1))


class Projected(nn.Module):
    """An LSTM whose hidden state is projected, with a cell state of another size."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, proj_size=6, batch_first=True)
        self.fc = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(x))[0][:, -1])


class AttentionPooling(nn.Module):
    """An embedding, a batch-first GRU, a linear score on every state, softmax over the steps, and
    the weighted sum read out by a linear layer."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.attention = nn.Linear(HIDDEN, 1)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(x))
        weights = torch.softmax(self.attention(outputs), dim=1)
        return self.fc((weights * outputs).sum(dim=1))


class MeanPooling(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.gru(self.embedding(x))[0].mean(dim=1))


class MaxPooling(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(x))[0].amax(dim=1))


class Normed(nn.Module):
    """Dropout and layer norm before the layer, batch norm and a hidden layer after it."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Sequential(
            nn.Embedding(symbols, VECTOR), nn.LayerNorm(VECTOR), nn.Dropout(0.1)
        )
        self.gru = nn.GRU(VECTOR, HIDDEN, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Sequential(
            nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.embedding(x))[0][:, -1])


class StartAndEnd(nn.Module):
    """Puts symbols of its own before and after each word."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.bos, self.eos = symbols, symbols + 1
        self.embedding = nn.Embedding(symbols + 2, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x, (1, 0), value=self.bos)
        x = nn.functional.pad(x, (0, 1), value=self.eos)
        return self.fc(self.gru(self.embedding(x))[0][:, -1])


class OneHot(nn.Module):
    """Reads vectors, one logit through a sigmoid, and nothing is named as elsewhere."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.recurrence = nn.RNN(symbols, HIDDEN, nonlinearity="tanh", batch_first=True)
        self.out = nn.Sequential(nn.Linear(HIDDEN, 1), nn.Sigmoid())

    def forward(self, vectors: Tensor) -> Tensor:
        _, last = self.recurrence(vectors)
        return self.out(last[-1])


# The list

Call = Callable[[nn.Module, Tensor], Tensor]
"""The scores [B, C], or [B, T, C] where the network answers at each step, of words [B, T] of one
length, as one who trains the module calls it."""


def _step_by_step(module: nn.Module, words: Tensor) -> Tensor:
    """Of a module of one symbol at a time."""
    hidden = module.initHidden().expand(len(words), -1)
    for symbol in one_hot(words, 2).float().unbind(dim=1):
        scores, hidden = module(symbol, hidden)
    return scores


def _lengths(words: Tensor) -> Tensor:
    return torch.full((len(words),), words.shape[1])


def _as_model_of_next(module: nn.Module, words: Tensor) -> Tensor:
    """Of a language model: after the start and after each symbol."""
    started = torch.cat([torch.full((len(words), 1), 2), words], dim=1)
    return module(started.T, module.init_hidden(len(words)))[0].transpose(0, 1)


@dataclass(frozen=True)
class Entry:
    """A module that someone brings: how it is made, what it answers, how its owner calls it and
    what is done to it after training."""

    build: Callable[[], nn.Module]
    call: Call = nn.Module.__call__
    target: str = "class"
    after: Callable[[nn.Module], nn.Module] = nn.Module.eval


def _quantised(module: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(
        module.eval(), {nn.GRU, nn.LSTM, nn.Linear}, dtype=torch.qint8
    )


MODULES = {
    "packed": Entry(Packed, lambda m, w: m(w, _lengths(w))),
    "packed, time first": Entry(PackedTimeFirst, lambda m, w: m(w.T, _lengths(w))),
    "packs inside": Entry(PacksInside),
    "with hidden state": Entry(WithHidden, lambda m, w: m(w, m.init_hidden(len(w)))[0]),
    "one symbol at a time": Entry(OneSymbolAtATime, _step_by_step),
    "dict": Entry(Dict, lambda m, w: m(w)["logits"]),
    "dataclass": Entry(Dataclass, lambda m, w: m(w).logits),
    "named tuple": Entry(Named, lambda m, w: m(w).scores),
    "number": Entry(Regressor, lambda m, w: m(w)[:, None], "number"),
    "tagger": Entry(Tagger, target="step"),
    "tagger, time first": Entry(TaggerTimeFirst, lambda m, w: m(w.T).transpose(0, 1), "step"),
    "language model": Entry(LanguageModel, _as_model_of_next, "next"),
    "two layers": Entry(TwoLayers),
    "encoder and decoder": Entry(EncoderDecoder),
    "GRUCell in a loop": Entry(GRUCellLoop),
    "LSTMCells in a loop": Entry(LSTMCellLoop),
    "own cell in a loop": Entry(OwnCellLoop),
    "cell state": Entry(CellState),
    "layers joined": Entry(JoinedLayers),
    "proj_size": Entry(Projected),
    "attention pooling": Entry(AttentionPooling),
    "mean pooling": Entry(MeanPooling),
    "max pooling": Entry(MaxPooling),
    "norms and dropout": Entry(Normed),
    "start and end symbols": Entry(StartAndEnd),
    "one-hot vectors": Entry(OneHot, lambda m, w: m(one_hot(w, 2).float())),
    "jit-scripted": Entry(TwoLayers, after=lambda m: torch.jit.script(m.eval())),
    "quantised": Entry(TwoLayers, after=_quantised),
}


# What came later: more that is kept of all steps


class ManyScores(nn.Module):
    """Attention pooling with several scores a step, each with a sum of its own."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.attention = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 3))
        self.fc = nn.Linear(3 * HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(x))
        weights = self.attention(outputs).softmax(dim=1)
        return self.fc((weights.transpose(1, 2) @ outputs).flatten(1))


class LearnedQuery(nn.Module):
    """One learned query to torch's attention of several heads."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 1, HIDDEN))
        self.attention = nn.MultiheadAttention(HIDDEN, 2, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embedding(x))
        query = self.query.expand(len(x), -1, -1)
        pooled, _ = self.attention(query, outputs, outputs, need_weights=False)
        return self.fc(pooled.squeeze(1))


class ScaledDotProduct(nn.Module):
    """One learned query to the function of attention."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.query = nn.Parameter(torch.randn(HIDDEN))
        self.key, self.value = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(x))
        query = self.query.expand(len(x), 1, -1)
        keys, values = self.key(outputs), self.value(outputs)
        pooled = nn.functional.scaled_dot_product_attention(query, keys, values)
        return self.fc(pooled[:, 0])


class SoftmaxByHand(nn.Module):
    """Attention whose weights are written out."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.attention = nn.Linear(HIDDEN, 1, bias=False)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(x))
        scores = self.attention(torch.tanh(outputs))
        weights = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
        weights = weights / weights.sum(dim=1, keepdim=True)
        return self.fc(torch.sum(outputs * weights, dim=1))


class GatedMean(nn.Module):
    """A mean of the states weighted by gates from 0 to 1."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.gate = nn.Linear(HIDDEN, 1)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(x))
        gates = torch.sigmoid(self.gate(outputs))
        return self.fc((gates * outputs).sum(dim=1) / gates.sum(dim=1))


class LogSumExp(nn.Module):
    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.logsumexp(self.lstm(self.embedding(x))[0], dim=1))


class LogMeanExp(LogSumExp):
    """The same divided by the number of steps (Pinheiro & Collobert, 2015)."""

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(x))
        return self.fc(torch.logsumexp(states, dim=1) - math.log(x.shape[1]))


class MeanOfVectors(nn.Module):
    """The mean of the embeddings beside the last state."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(VECTOR + HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        vectors = self.embedding(x)
        _, last = self.gru(vectors)
        return self.fc(torch.cat([vectors.mean(dim=1), last[-1]], dim=1))


class PooledTwice(nn.Module):
    """The mean of the embeddings beside the largest and the mean of the states."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(VECTOR + 2 * HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        vectors = self.embedding(x)
        outputs, _ = self.gru(vectors)
        pooled = [vectors.mean(dim=1), outputs.amax(dim=1), outputs.mean(dim=1)]
        return self.fc(torch.cat(pooled, dim=1))


class CausalConvolution(nn.Module):
    """A convolution over the last 3 symbols before the layer, padded before the word."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.convolution = nn.Conv1d(VECTOR, VECTOR, kernel_size=3)
        self.gru = nn.GRU(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        vectors = nn.functional.pad(self.embedding(x).transpose(1, 2), (2, 0))
        read = torch.relu(self.convolution(vectors)).transpose(1, 2)
        return self.fc(self.gru(read)[0][:, -1])


class DepthwiseConvolution(nn.Module):
    """A convolution of each unit, padded on both sides and cut, as in state-space models."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.convolution = nn.Conv1d(VECTOR, VECTOR, kernel_size=4, padding=3, groups=VECTOR)
        self.lstm = nn.LSTM(VECTOR, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.convolution(self.embedding(x).transpose(1, 2))[..., : x.shape[1]]
        return self.fc(self.lstm(nn.functional.silu(mixed).transpose(1, 2))[0][:, -1])


class ConvolutionAlone(nn.Module):
    """A convolution over the last 3 symbols and the largest of all steps, nothing recurrent."""

    def __init__(self, symbols: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, VECTOR)
        self.convolution = nn.Conv1d(VECTOR, HIDDEN, kernel_size=3)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        vectors = nn.functional.pad(self.embedding(x).transpose(1, 2), (2, 0))
        return self.fc(torch.relu(self.convolution(vectors)).amax(dim=2))


MORE = {
    "several scores a step": Entry(ManyScores),
    "learned query, several heads": Entry(LearnedQuery),
    "scaled_dot_product_attention": Entry(ScaledDotProduct),
    "softmax by hand": Entry(SoftmaxByHand),
    "gated mean": Entry(GatedMean),
    "logsumexp": Entry(LogSumExp),
    "log of the mean of exponentials": Entry(LogMeanExp),
    "mean of embeddings": Entry(MeanOfVectors),
    "pooled twice": Entry(PooledTwice),
    "causal convolution": Entry(CausalConvolution),
    "depthwise convolution": Entry(DepthwiseConvolution),
    "convolution alone": Entry(ConvolutionAlone),
}
"""Modules that were refused when the list above was fixed."""


# Training, as their owners do it


def contains_000(words: Tensor) -> Tensor:
    """Whether each prefix of words [B, T] contains 000."""
    zeros = torch.nn.functional.pad(words, (2, 0), value=1).unfold(1, 3, 1).sum(dim=2) == 0
    return zeros.cumsum(dim=1) > 0


def has_odd_ones(words: Tensor) -> Tensor:
    """Whether each prefix of words [B, T] has an odd number of 1."""
    return words.cumsum(dim=1) % 2 == 1


def random_words() -> Tensor:
    """64 random words [B, T] of one length, of 1 to 15 symbols."""
    return (torch.rand(64, int(torch.randint(1, 16, ()))) < 0.45).long()


def train(
    one: Entry, meant: Callable[[Tensor], Tensor] = contains_000, steps: int = 500
) -> nn.Module:
    """A module trained on random words, as it is handed over."""
    torch.manual_seed(0)
    module = one.build()
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(steps):
        words = random_words()
        labels, scores = meant(words), one.call(module, words)
        if one.target == "step":
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten().long())
        elif scores.shape[1] > 1:
            loss = nn.functional.cross_entropy(scores, labels[:, -1].long())
        elif isinstance(module, OneHot):
            loss = nn.functional.binary_cross_entropy(scores[:, 0], labels[:, -1].float())
        else:
            logits = scores[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[:, -1].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return one.after(module)
