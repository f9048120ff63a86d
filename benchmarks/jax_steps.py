"""The same steps in JAX, rewritten as it asks for: pure functions, the whole step under one jit.

Parameters and optimizer state are donated, so that XLA updates them in place.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .loops import Run


def _parameters(sizes: tuple[int, ...]) -> list[Any]:
    import jax.numpy as jnp

    random = np.random.RandomState(0)
    found = []
    for inside, outside in itertools.pairwise(sizes):
        bound = inside**-0.5
        found.append((
            jnp.asarray(random.uniform(-bound, bound, (inside, outside)).astype(np.float32)),
            jnp.asarray(random.uniform(-bound, bound, outside).astype(np.float32)),
        ))  # fmt: skip
    return found


def _forward(parameters: list[Any], x: Any) -> Any:
    import jax

    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def _cross_entropy(out: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(out), y[:, None], axis=1).mean()


def _adam_step(loss_of: Callable[..., Any], weight_decay: float) -> Callable[..., Any]:
    """A jitted step of Adam, with AdamW's decoupled decay (Kingma and Ba; Loshchilov, Hutter)."""
    import jax
    import jax.numpy as jnp

    rate, beta_1, beta_2, epsilon = 1e-3, 0.9, 0.999, 1e-8

    def step(parameters: Any, first: Any, second: Any, count: Any, x: Any, y: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parameters, x, y)
        count = count + 1
        tree = jax.tree_util.tree_map
        first = tree(lambda m, g: beta_1 * m + (1 - beta_1) * g, first, slopes)
        second = tree(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, second, slopes)
        scale_1, scale_2 = 1 - beta_1**count, 1 - beta_2**count

        def moved(p: Any, m: Any, v: Any) -> Any:
            p = p * (1 - rate * weight_decay)
            return p - rate * (m / scale_1) / (jnp.sqrt(v / scale_2) + epsilon)

        return tree(moved, parameters, first, second), first, second, count, loss

    return jax.jit(step, donate_argnums=(0, 1, 2, 3))


def _run(step: Callable[..., Any], sizes: tuple[int, ...], x: Any, y: Any) -> Run:
    import jax
    import jax.numpy as jnp

    parameters = _parameters(sizes)
    zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
    state = [parameters, zeros, jax.tree_util.tree_map(jnp.zeros_like, parameters), jnp.zeros(())]

    def run(count: int) -> int:
        p, m, v, t = state
        for _ in range(count):
            p, m, v, t, loss = step(p, m, v, t, x, y)
        state[:] = p, m, v, t
        float(loss)
        return count

    return run


def classifier(sizes: tuple[int, ...], batch: int) -> Callable[[], Run]:
    """The seed's step, without a loader."""

    def build() -> Run:
        import jax.numpy as jnp

        random = np.random.RandomState(1)
        x = jnp.asarray(random.rand(batch, sizes[0]).astype(np.float32))
        y = jnp.asarray(random.randint(0, sizes[-1], batch))

        def loss_of(p: Any, x: Any, y: Any) -> Any:
            return _cross_entropy(_forward(p, x), y)

        return _run(_adam_step(loss_of, 1e-4), sizes, x, y)

    return build


def autoencoder(sizes: tuple[int, ...], batch: int) -> Callable[[], Run]:
    """Adam, mean squared error."""

    def build() -> Run:
        import jax.numpy as jnp

        x = jnp.asarray(np.random.RandomState(1).rand(batch, sizes[0]).astype(np.float32))

        def loss_of(p: Any, x: Any, y: Any) -> Any:
            return ((_forward(p, x) - y) ** 2).mean()

        return _run(_adam_step(loss_of, 0.0), sizes, x, x)

    return build


def inference(sizes: tuple[int, ...], batch: int) -> Callable[[], Run]:
    """Logits as a NumPy array."""

    def build() -> Run:
        import jax
        import jax.numpy as jnp

        forward, parameters = jax.jit(_forward), _parameters(sizes)
        x = jnp.asarray(np.random.RandomState(1).rand(batch, sizes[0]).astype(np.float32))

        def run(count: int) -> int:
            for _ in range(count):
                np.asarray(forward(parameters, x))
            return count

        return run

    return build
