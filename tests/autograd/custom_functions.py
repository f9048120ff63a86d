"""Programs about custom functions: `torch.autograd.Function` and what it refuses."""

from __future__ import annotations

from typing import Any

from tests.programs import attempt


def custom_function(torch: Any) -> Any:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: float) -> Any:
            ctx.scale = scale
            out = x**3 * scale
            ctx.save_for_backward(x, out)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, _ = ctx.saved_tensors
            return 3 * x * x * ctx.scale * g, None

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    y = Cube.apply(x, 2.0)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x)
    return [y, g, gg, y.grad_fn.name(), Cube.apply(x.detach(), 1.0).requires_grad]


def custom_function_of_two_results(torch: Any) -> Any:
    class Sort(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            values, order = x.sort()
            ctx.mark_non_differentiable(order)
            ctx.order = order
            return values, order

        @staticmethod
        def backward(ctx: Any, g: Any, _: Any) -> Any:
            out = torch.zeros_like(g)
            out[ctx.order] = g
            return out

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, order = Sort.apply(x)
    (values * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    return [values, order, order.requires_grad, x.grad]


def custom_function_with_setup_context(torch: Any) -> Any:
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return g * y, g * x

    z = torch.tensor([2.0], requires_grad=True)
    Product.apply(z, z).sum().backward()
    return z.grad


def custom_function_limits(torch: Any) -> Any:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    class InPlace(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.add_(1)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 5

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g, g

    u = torch.tensor([1.0], requires_grad=True)
    (once,) = torch.autograd.grad(Once.apply(u), u, create_graph=True)
    twice = attempt(lambda: torch.autograd.grad(once, u), 4)
    v = u * 1
    w = InPlace.apply(v)
    w.sum().backward()
    wrong = attempt(lambda: Wrong.apply(u).sum().backward(), 8)
    return [twice, w is v, v, u.grad, wrong]
