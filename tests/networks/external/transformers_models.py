"""Recurrent models of Hugging Face's transformers with a head of one's own, as their users write
them, of random weights and few units."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from transformers import (
    FalconMambaConfig,
    FalconMambaModel,
    GPT2Config,
    GPT2Model,
    Mamba2Config,
    Mamba2Model,
    MambaConfig,
    MambaForCausalLM,
    MambaModel,
    PreTrainedModel,
    RecurrentGemmaConfig,
    RecurrentGemmaModel,
    RwkvConfig,
    RwkvModel,
    xLSTMConfig,
    xLSTMModel,
)

from tests.networks.external.catalogue import contains_000, random_words

SIZES = {
    "vocab_size": 2,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}

MAMBA = MambaConfig(state_size=4, **SIZES)


class Classifier(nn.Module):
    """A linear head on the last hidden state of a model."""

    def __init__(self, backbone: PreTrainedModel) -> None:
        super().__init__()
        self.backbone = backbone
        self.score = nn.Linear(backbone.config.hidden_size, 2)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.score(self.backbone(input_ids).last_hidden_state[:, -1])


class MeanClassifier(Classifier):
    """A linear head on the mean of all hidden states, which no cache holds."""

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.score(self.backbone(input_ids).last_hidden_state.mean(dim=1))


def mamba() -> Classifier:
    return Classifier(MambaModel(MAMBA))


def mean_of_mamba() -> Classifier:
    return MeanClassifier(MambaModel(MAMBA))


def mamba2() -> Classifier:
    config = Mamba2Config(state_size=4, num_heads=4, head_dim=8, n_groups=1, chunk_size=4, **SIZES)
    return Classifier(Mamba2Model(config))


def falcon_mamba() -> Classifier:
    return Classifier(FalconMambaModel(FalconMambaConfig(state_size=4, **SIZES)))


def xlstm() -> Classifier:
    """Its cache is written in place, which gradients do not bear, so that it is left out; the
    smallest sizes that it takes are 128 and 64."""
    sizes = SIZES | {"hidden_size": 128, "num_hidden_layers": 2}
    return Classifier(xLSTMModel(xLSTMConfig(num_heads=8, chunk_size=8, use_cache=False, **sizes)))


def rwkv() -> Classifier:
    """With `use_cache` it mixes the words of a batch of single symbols."""
    return Classifier(RwkvModel(RwkvConfig(attention_hidden_size=16, use_cache=False, **SIZES)))


def recurrent_gemma() -> Classifier:
    """Two recurrent layers, and one of attention to the last 4 symbols."""
    config = RecurrentGemmaConfig(
        num_attention_heads=2, attention_window_size=4, **SIZES | {"num_hidden_layers": 3}
    )
    return Classifier(RecurrentGemmaModel(config))


def gpt2() -> Classifier:
    return Classifier(
        GPT2Model(
            GPT2Config(
                vocab_size=2, n_embd=16, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None
            )
        )
    )


def mamba_for_language() -> PreTrainedModel:
    """A model with a head of transformers' own: scores of the next symbol after each."""
    return MambaForCausalLM(MAMBA)


def train(build: Callable[[], nn.Module], steps: int = 400, rate: float = 0.005) -> nn.Module:
    """A model trained on whether random words contain 000, with gradients of norm 1 at most, as
    the trainer of transformers has it."""
    torch.manual_seed(0)
    module = build()
    optimizer = torch.optim.AdamW(module.parameters(), rate)
    for _ in range(steps):
        words = random_words()
        loss = nn.functional.cross_entropy(module(words), contains_000(words)[:, -1].long())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    return module.eval()


TRAINED: dict[str, Callable[[], nn.Module]] = {
    "Mamba": partial(train, mamba),
    "Mamba-2": partial(train, mamba2),
    "FalconMamba": partial(train, falcon_mamba),
    "xLSTM": partial(train, xlstm, steps=600, rate=0.001),
    "RWKV": partial(train, rwkv),
}
"""Models by their names, each with a head on its last hidden state."""
