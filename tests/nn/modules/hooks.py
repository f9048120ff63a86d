"""Scenarios of hooks on modules: see `scenarios`."""

from __future__ import annotations

from tests.nn.modules.scenarios import layer, outcome, outcomes, scenario


def with_hook(torch, forward, kind, hook, *args):
    """The outputs of a module with one hook, and the input's gradient."""

    class Body(torch.nn.Module):
        def forward(self, *inputs, **named):
            return forward(*inputs, **named)

    module = Body()
    getattr(module, kind)(hook)
    x = torch.ones(1, 2, requires_grad=True)
    out = module(x, *args)
    first = out[0] if isinstance(out, tuple) else out
    first.sum().backward()
    return x.grad


@scenario
def forward_hooks(torch):
    m, x = layer(torch), torch.ones(1, 2)
    log = []
    plain = m(x)
    m.register_forward_pre_hook(lambda mod, args: log.append("pre1"))
    m.register_forward_pre_hook(lambda mod, args: log.append("pre2"), prepend=True)
    m.register_forward_hook(lambda mod, args, out: log.append(["post1", out]))
    m.register_forward_hook(lambda mod, args, out: log.append("post2"), prepend=True)
    first = m.register_forward_pre_hook(lambda mod, args: args[0] * 2)
    second = m.register_forward_hook(lambda mod, args, out: out + 1)
    changed = m(x)
    first.remove()
    second.remove()
    second.remove()
    with m.register_forward_hook(lambda mod, args, out: out * 0):
        zero = m(x)
    return [plain, changed, zero, m(x), log]


@scenario
def hooks_with_kwargs(torch):
    class Scale(torch.nn.Module):
        def forward(self, x, *, by=1.0):
            return x * by

    m, x = Scale(), torch.ones(2)
    log = []
    handle = m.register_forward_pre_hook(
        lambda mod, args, kwargs: (args, {"by": kwargs["by"] * 2}), with_kwargs=True
    )
    m.register_forward_hook(
        lambda mod, args, kwargs, out: log.append([kwargs, out]), with_kwargs=True
    )
    first = m(x, by=3.0)
    handle.remove()
    m.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
    return [first, log, outcome(lambda: m(x, by=1.0))]


@scenario
def always_called_hooks(torch):
    class Bad(torch.nn.Module):
        def forward(self, x):
            raise ValueError("boom")

    m, log = Bad(), []
    m.register_forward_hook(lambda mod, args, out: log.append("not me"))
    m.register_forward_hook(lambda mod, args, out: log.append(["me", out]), always_call=True)
    m.register_forward_hook(lambda mod, args, out: 1 / 0, always_call=True)
    return [outcome(lambda: m(1)), log]


@scenario
def full_backward_hooks(torch):
    log = []
    m = layer(torch)
    m.register_full_backward_hook(lambda mod, gi, go: log.append(["full", gi, go]))
    m.register_full_backward_pre_hook(lambda mod, go: log.append(["pre", go]))
    m(torch.ones(1, 2)).sum().backward()
    x = torch.ones(1, 2, requires_grad=True)
    m(x).sum().backward()
    with torch.no_grad():
        quiet = m(x).requires_grad
    m.register_full_backward_hook(lambda mod, gi, go: log.append("second"))
    m.register_full_backward_hook(lambda mod, gi, go: log.append("first"), prepend=True)
    m(x).sum().backward()
    return [log, x.grad, m.weight.grad, quiet]


@scenario
def backward_hooks_change_gradients(torch):
    def several(a, b=None):
        return a * 2, b, 3

    def single(a):
        return a * 2

    full, pre = "register_full_backward_hook", "register_full_backward_pre_hook"
    one = torch.ones(1)
    run = lambda *args: lambda: with_hook(torch, *args)
    return outcomes(
        run(several, full, lambda mod, gi, go: (gi[0] * 10, None), one),
        run(several, full, lambda mod, gi, go: (gi[0], None, None), one),
        run(several, pre, lambda mod, go: (go[0] * 5, None, None), one),
        run(several, pre, lambda mod, go: (go[0] * 5, None), one),
        run(single, full, lambda mod, gi, go: (gi[0] * 10,)),
        run(single, full, lambda mod, gi, go: (None,)),
        run(single, full, lambda mod, gi, go: None),
    )


@scenario
def partly_used_outputs(torch):
    log = []

    def forward(a):
        return a * 2, a * 3

    grad = with_hook(
        torch, forward, "register_full_backward_hook", lambda mod, gi, go: log.append([gi, go])
    )
    return [grad, log]


@scenario
def legacy_backward_hooks(torch):
    log = []
    x = torch.ones(1, 3, requires_grad=True)
    m = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Sigmoid())
    m.register_backward_hook(lambda mod, gi, go: log.append([len(gi), go]))
    m(x).sum().backward()
    return [log, outcome(lambda: m.register_full_backward_hook(lambda *args: None))]


@scenario
def global_hooks(torch):
    module = torch.nn.modules.module
    log = []
    handles = [
        module.register_module_forward_pre_hook(lambda m, args: log.append(["pre", str(m)])),
        module.register_module_forward_hook(lambda m, args, out: out * 2),
        module.register_module_full_backward_hook(lambda m, gi, go: log.append([gi, go])),
        module.register_module_full_backward_pre_hook(lambda m, go: log.append(["back", go])),
        module.register_module_parameter_registration_hook(
            lambda m, name, value: log.append(["parameter", name])
        ),
        module.register_module_buffer_registration_hook(
            lambda m, name, value: log.append(["buffer", name])
        ),
        module.register_module_module_registration_hook(
            lambda m, name, value: log.append(["module", name])
        ),
    ]
    try:
        x = torch.ones(2, requires_grad=True)
        torch.nn.Tanh()(x).sum().backward()
        torch.nn.BatchNorm1d(2)
        torch.nn.Sequential(torch.nn.Identity())
        mixed = outcome(lambda: module.register_module_backward_hook(lambda *args: None))
    finally:
        for handle in handles:
            handle.remove()
    return [log, torch.nn.Tanh()(torch.zeros(1)), mixed]
