"""Networks as others write them: plain PyTorch, nothing of ours."""

import torch
from torch import nn


class Acceptor(nn.Module):
    """An embedding, a recurrent layer, and one logit read out of its last output."""

    def __init__(
        self, kind: type[nn.RNNBase] = nn.GRU, *, layers: int = 2, time_first: bool = False, **more
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 4)
        self.layer = kind(4, 8, layers, batch_first=not time_first, **more)
        self.linear = nn.Linear(8 * (1 + self.layer.bidirectional), 1)

    def forward(self, symbols):
        output, _ = self.layer(self.embedding(symbols))
        return self.linear(output[:, -1] if self.layer.batch_first else output[-1]).squeeze(-1)


def train(module: nn.Module, steps: int = 500, *, time_first: bool = False) -> nn.Module:
    """The module, trained on words of 1 to 15 symbols that are accepted where they contain 000."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(steps):
        length = int(torch.randint(1, 16, (), generator=generator))
        words = (torch.rand(64, length, generator=generator) < 0.45).long()
        runs = words.unfold(1, 3, 1).sum(2) == 0 if length > 2 else torch.zeros(64, 1)
        logits = module(words.T if time_first else words)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, runs.any(1).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module
