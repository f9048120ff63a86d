"""Python of the user's in the middle of a step: custom functions of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp


def reversal(torch: Any) -> Any:
    """Gradient reversal: an identity whose backward turns the sign."""

    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: float) -> Any:
            ctx.weight = weight
            return x.view_as(x)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad.neg() * ctx.weight, None

    return Reverse


def rounding(torch: Any) -> Any:
    """A straight-through estimator that keeps its result and its operand."""

    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = torch.round(x * 4) / 4
            ctx.save_for_backward(x, None, y)
            return y

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, nothing, y = ctx.saved_tensors
            assert nothing is None and ctx.needs_input_grad == (True,)
            return grad * (x.abs() < 1) + 0.01 * (y - x)

    return Round


def pair(torch: Any) -> Any:
    """Two operands, three results of which one is an integer and one has no gradient."""

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(a: Any, b: Any) -> Any:
            return a * b, (a > b).long(), a + b

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)
            ctx.mark_non_differentiable(output[1], output[2])
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            a, b = ctx.saved_tensors
            assert grads[1] is None and grads[2] is None
            return grads[0] * b, grads[0] * a

    return Pair


def train(
    torch: Any, read: Read, forward: Callable[[Any, Any, int], Any], count: int = STEPS
) -> list[Any]:
    """Train a small model with AdamW, `forward` standing in its middle."""
    model = mlp(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    losses = []
    for i, (x, y) in enumerate(batches(torch, count)):
        optimizer.zero_grad()
        hidden = forward(model[1](model[0](x)), model, i)
        loss = torch.nn.functional.cross_entropy(model[2](hidden), y)
        loss.backward()
        optimizer.step()
        losses.append(read(loss))
    return [losses, model[0].weight, model[2].bias]


@footgun(34)
def custom_function(torch: Any, read: Read) -> Any:
    reverse = reversal(torch).apply
    return train(torch, read, lambda h, model, i: reverse(h, 0.5))


@footgun(34)
def custom_function_with_a_schedule(torch: Any, read: Read) -> Any:
    reverse = reversal(torch).apply
    return train(torch, read, lambda h, model, i: reverse(h, 0.1 * i))


@footgun(34)
def custom_function_that_saves(torch: Any, read: Read) -> Any:
    apply = rounding(torch).apply
    return train(torch, read, lambda h, model, i: apply(h) + apply(2 * h))


@footgun(34)
def custom_function_of_a_parameter(torch: Any, read: Read) -> Any:
    apply = rounding(torch).apply
    scale = torch.ones(8, requires_grad=True)
    found = train(torch, read, lambda h, model, i: h * apply(scale) + apply(model[0].bias))
    return [found, scale.grad]


@footgun(34)
def custom_function_of_several(torch: Any, read: Read) -> Any:
    apply = pair(torch).apply
    seen = []

    def forward(h: Any, model: Any, i: int) -> Any:
        product, larger, total = apply(h, model[0].bias)
        seen.append([larger.requires_grad, total.requires_grad, product.requires_grad])
        return product + larger + total

    return [train(torch, read, forward), seen]


@footgun(34)
def custom_function_switches(torch: Any, read: Read) -> Any:
    apply, reverse = rounding(torch).apply, reversal(torch).apply

    def forward(h: Any, model: Any, i: int) -> Any:
        return apply(h) if i % 6 < 4 else reverse(h, 0.5)

    return train(torch, read, forward, 3 * STEPS)


@footgun(34)
def custom_function_that_is_used_again(torch: Any, read: Read) -> Any:
    """Its context and its saved tensors outlive the step; the second backward is an error."""
    apply = rounding(torch).apply
    contexts: list[Any] = []

    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            contexts.append(ctx)
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            ctx.grad = grad
            return grad * ctx.saved_tensors[0]

    found: list[Any] = []

    def forward(h: Any, model: Any, i: int) -> Any:
        if contexts:
            found.append(attempt(lambda: contexts[-1].saved_tensors, 8))
            found.append(read(contexts[-1].grad))
        return apply(Kept.apply(h))

    return [train(torch, read, forward), found]


@footgun(34)
def custom_function_raises(torch: Any, read: Read) -> Any:
    class Sometimes(torch.autograd.Function):
        number = 0

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            Sometimes.number += 1
            if Sometimes.number in (3, 9):
                raise ValueError("not this time")
            return grad / 2

    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for x, y in batches(torch, 2 * STEPS):
        optimizer.zero_grad()
        hidden = Sometimes.apply(model[0](x))
        loss = torch.nn.functional.cross_entropy(model[2](hidden), y)
        results.append(attempt(loss.backward))
        optimizer.step()
        results += [read(loss), model[0].weight.grad is None]
    return [results, model[0].weight]


@footgun(34)
def custom_function_differentiated_twice(torch: Any, read: Read) -> Any:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, y = ctx.saved_tensors
            return grad * (3 * x * x + 0 * y)

    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    losses = []
    for x, _ in batches(torch):
        x.requires_grad_()
        out = Cube.apply(model(x).tanh()).sum()
        (slope,) = torch.autograd.grad(out, x, create_graph=True)
        loss = (slope.norm(dim=1) - 1).pow(2).mean() + out
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [read(loss), read(x.grad)]
    return [losses, model[0].weight]


@footgun(34)
def custom_function_answers_wrongly(torch: Any, read: Read) -> Any:
    class Wrong(torch.autograd.Function):
        answers: tuple = ()

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return Wrong.answers

    results: list[Any] = []
    w = torch.ones(2, 3, requires_grad=True)
    good = torch.ones(2, 3)
    for i in range(STEPS):
        for answers in (good, good.expand(4, 2, 3), (good, None), good[0], (good, good), 2.0, None):
            Wrong.answers = answers
            loss = (Wrong.apply(w) + i).sum()
            results.append([read(loss), attempt(loss.backward, 8), read(w.grad.clone())])
    return results


@footgun(34)
def custom_function_changes_its_operand(torch: Any, read: Read) -> Any:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    same: list[Any] = []

    def forward(h: Any, model: Any, i: int) -> Any:
        given = h + 1
        made = Doubled.apply(given)
        same.append(made is given)
        return made

    return [train(torch, read, forward), same]


@footgun(34)
def custom_function_through_numpy(torch: Any, read: Read) -> Any:
    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            import numpy as np

            ctx.save_for_backward(x)
            return torch.from_numpy(np.sin(x.detach().numpy()))

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            import numpy as np

            (x,) = ctx.saved_tensors
            return torch.from_numpy(grad.numpy() * np.cos(x.detach().numpy()))

    return train(torch, read, lambda h, model, i: Sine.apply(h))


@footgun(34)
def custom_function_reads(torch: Any, read: Read) -> Any:
    """Branches on what it computes, forward and backward, and draws random numbers."""

    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.large = x.abs().max().item() > 0.8
            return x + 0.1 * torch.rand(6, 8) if ctx.large else x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 0.5 if ctx.large or bool((grad > 1).any()) else grad * 2

    return train(torch, read, lambda h, model, i: Noisy.apply(h), 2 * STEPS)
