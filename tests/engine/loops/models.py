"""Small models whose training steps are recorded and lowered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau as torch
from flambeau import nn
from flambeau._engine.graph.ir import Graph
from tests.engine.loops.recorder import Recorder, recording

Step = Callable[[], Any]


def _step(model: nn.Module, optimizer: Any, loss_of: Callable[[], Any]) -> Step:
    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp(inside: int = 20, hidden: int = 64, out: int = 3, batch: int = 32) -> Step:
    """The seed's model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(inside, hidden), nn.ReLU(), nn.Linear(hidden, out))
    x, y = torch.randn(batch, inside), torch.randint(0, out, (batch,))
    criterion = nn.CrossEntropyLoss()
    return _step(model, torch.optim.AdamW(model.parameters()), lambda: criterion(model(x), y))


def autoencoder() -> Step:
    """Mean squared error, Adam."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 12), nn.Sigmoid()
    )
    x = torch.rand(16, 12)
    optimizer = torch.optim.Adam(model.parameters())
    return _step(model, optimizer, lambda: nn.functional.mse_loss(model(x), x))


def convolutional() -> Step:
    """Convolution, batch norm, pooling, GELU, dropout, momentum."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(24, 10),
    )  # fmt: skip
    x, y = torch.randn(3, 1, 10, 10), torch.randint(0, 10, (3,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return _step(model, optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def recurrent(kind: str = "LSTM") -> Step:
    """A recurrent layer over a few steps, and a linear one on its last."""
    torch.manual_seed(0)
    layer, head = getattr(nn, kind)(6, 8, batch_first=True), nn.Linear(8, 2)
    x, y = torch.randn(4, 5, 6), torch.randn(4, 2)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()])

    def loss() -> Any:
        return nn.functional.mse_loss(head(layer(x)[0][:, -1]), y)

    return _step(nn.ModuleList([layer, head]), optimizer, loss)


class Block(nn.Module):
    """A transformer's block."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        parts = self.attention(self.first(x)).split(width, 2)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).contiguous().view(batch, length, width)
        x = x + self.dropout(self.out(y))
        return x + self.feed(self.second(x))


def transformer() -> Step:
    """Embeddings, a block, a head."""
    torch.manual_seed(0)
    tokens, places = nn.Embedding(11, 8), nn.Embedding(6, 8)
    block, norm, head = Block(8, 2), nn.LayerNorm(8), nn.Linear(8, 11)
    model = nn.ModuleList([tokens, places, block, norm, head])
    x, y = torch.randint(0, 11, (3, 6)), torch.randint(0, 11, (3, 6))

    def loss() -> Any:
        scores = head(norm(block(tokens(x) + places(torch.arange(6)))))
        return nn.functional.cross_entropy(scores.view(-1, 11), y.view(-1))

    return _step(model, torch.optim.AdamW(model.parameters(), lr=1e-3), loss)


MODELS: dict[str, Callable[[], Step]] = {
    "mlp": mlp,
    "autoencoder": autoencoder,
    "convolutional": convolutional,
    "lstm": recurrent,
    "gru": lambda: recurrent("GRU"),
    "transformer": transformer,
}


def record(step: Step) -> tuple[Graph, Recorder]:
    """The second of a model's steps as a graph; the recorder has its arrays and numbers."""
    step()
    recorder = Recorder()
    with recording(recorder):
        loss = step()
    return recorder.graph([loss]), recorder
