"""Larger models for the benchmarks: a character transformer, an LSTM, a small CNN, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .loops import Build, Run, steps

VOCABULARY = 65


def _transformer(torch: Any, width: int, heads: int, layers: int, block: int) -> Any:
    nn = torch.nn

    class Block(nn.Module):
        """Attention and a two-layer network, each after a layer norm and around a shortcut."""

        def __init__(self):
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.to_qkv, self.to_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.network = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x):
            b, t, c = x.shape
            parts = self.to_qkv(self.norm_1(x)).split(width, dim=2)
            q, k, v = (p.view(b, t, heads, c // heads).transpose(1, 2) for p in parts)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.to_out(y.transpose(1, 2).reshape(b, t, c))
            return x + self.network(self.norm_2(x))

    class Transformer(nn.Module):
        """Characters to the logits of the next ones."""

        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(VOCABULARY, width)
            self.position = nn.Embedding(block, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, VOCABULARY)

        def forward(self, index):
            x = self.token(index) + self.position(torch.arange(index.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return Transformer()


def transformer(width: int, heads: int, layers: int, block: int, batch: int) -> Build:
    """A training step of a character transformer: cross-entropy, AdamW."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        model = _transformer(torch, width, heads, layers, block)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        x = torch.randint(0, VOCABULARY, (batch, block))
        y = torch.randint(0, VOCABULARY, (batch * block,))
        cross_entropy = torch.nn.functional.cross_entropy
        return steps(
            compile(model), optimizer, lambda out: cross_entropy(out.view(-1, VOCABULARY), y), x
        )

    return build


def lstm(inside: int, hidden: int, length: int, batch: int) -> Build:
    """A training step of an LSTM and a linear layer on its last state."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        nn = torch.nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(inside, hidden, batch_first=True)
                self.head = nn.Linear(hidden, 1)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        model = Model()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        x, y = torch.rand(batch, length, inside), torch.rand(batch, 1)
        return steps(compile(model), optimizer, lambda out: nn.functional.mse_loss(out, y), x)

    return build


def cnn(batch: int) -> Build:
    """A training step of two convolutions with pooling on 28x28 images: cross-entropy, SGD."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        nn = torch.nn
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        )  # fmt: skip
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
        cross_entropy = nn.functional.cross_entropy
        return steps(compile(model), optimizer, lambda out: cross_entropy(out, y), x)

    return build


def attention(batch: int, heads: int, length: int, width: int) -> Build:
    """softmax(QK)V and its gradients, with nothing around it."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        shape = (batch, heads, length, width)
        q, k, v = (torch.rand(shape).requires_grad_() for _ in range(3))
        attend = compile(torch.nn.functional.scaled_dot_product_attention)

        def run(count: int) -> int:
            for _ in range(count):
                q.grad = k.grad = v.grad = None
                attend(q, k, v).sum().backward()
            q.grad.sum().item()
            return count

        return run

    return build
