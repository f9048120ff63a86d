"""Scenarios of nn.utils: see `tests.nn.modules.scenarios`."""

from __future__ import annotations

import copy
from importlib import import_module

from tests.nn.modules.scenarios import layer, outcome, outcomes, scenario


def symmetric(torch):
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

    return Symmetric()


@scenario
def parametrizing(torch):
    nn, parametrize = torch.nn, torch.nn.utils.parametrize

    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            return x / 2

    m = layer(torch, 3, 3)
    before = m.weight
    parametrize.register_parametrization(m, "weight", symmetric(torch))
    names = [name for name, _ in m.named_parameters()]
    first = [m, names, m.weight, m.parametrizations.weight.original is before, list(m.state_dict())]
    refused = outcome(lambda: setattr(m, "weight", torch.ones(3, 3)))
    parametrize.register_parametrization(m, "bias", Double())
    m.bias = torch.ones(3)
    second = [m.bias, m.parametrizations.bias.original, type(m).__name__]
    parametrize.register_parametrization(m, "bias", Double())
    third = [m.bias, len(m.parametrizations.bias)]
    m(torch.ones(1, 3)).sum().backward()
    gradients = [p.grad for p in m.parameters()]
    twin = copy.deepcopy(m)
    copied = twin.weight
    with parametrize.cached():
        cached = m.weight is m.weight
    kinds = [type(twin) is type(m), parametrize.type_before_parametrizations(m) is nn.Linear]
    parametrize.remove_parametrizations(m, "bias", leave_parametrized=False)
    fourth = [m.bias, parametrize.is_parametrized(m), parametrize.is_parametrized(m, "bias")]
    parametrize.remove_parametrizations(m, "weight")
    return [
        first, refused, second, third, gradients, cached, kinds, fourth,
        m.weight, m.weight is before, type(m).__name__, list(m.state_dict()), copied,
    ]  # fmt: skip


@scenario
def parametrizing_errors(torch):
    nn, parametrize = torch.nn, torch.nn.utils.parametrize

    class Total(nn.Module):
        def forward(self, x):
            return x.sum()

    class Other(nn.Module):
        def forward(self, x):
            return x.double()

    register = parametrize.register_parametrization
    return outcomes(
        lambda: register(layer(torch), "foo", nn.ReLU()),
        lambda: register(layer(torch), "weight", Total()),
        lambda: register(layer(torch), "weight", Other()),
        lambda: register(layer(torch), "weight", Total(), unsafe=True).weight,
        lambda: parametrize.remove_parametrizations(layer(torch), "weight"),
    )


@scenario
def weight_norms(torch):
    nn = torch.nn
    new = nn.utils.parametrizations.weight_norm(layer(torch))
    new(torch.ones(1, 2)).sum().backward()
    state = new.state_dict()
    gradients = [p.grad for p in new.parameters()]
    over_all = nn.utils.parametrizations.weight_norm(layer(torch), dim=None)
    old = nn.utils.weight_norm(layer(torch))
    old_state = old.state_dict()
    loaded = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    loaded.load_state_dict(old_state)
    old(torch.ones(1, 2)).sum().backward()
    old_gradients = [p.grad for p in old.parameters()]
    nn.utils.remove_weight_norm(old)
    return [
        new, dict(state), gradients, over_all.weight, dict(old_state), old_gradients, loaded.weight,
        dict(old.state_dict()), outcome(lambda: nn.utils.remove_weight_norm(old)),
    ]  # fmt: skip


@scenario
def spectral_norms(torch):
    nn = torch.nn

    def known(m):
        """Start from fixed vectors: the drawn ones differ in their last digits."""
        for _, value in m.named_buffers():
            value.copy_(torch.ones(len(value)) / len(value) ** 0.5)
        return m

    new = known(nn.utils.parametrizations.spectral_norm(layer(torch)))
    new(torch.ones(1, 2)).sum().backward()
    trained = [new.parametrizations.weight.original.grad, dict(new.state_dict())]
    still = new.eval().weight
    old = known(nn.utils.spectral_norm(layer(torch), n_power_iterations=3))
    old(torch.ones(1, 2)).sum().backward()
    old_state = old.state_dict()
    old_trained = [old.weight_orig.grad, dict(old_state), dict(old_state._metadata)]
    nn.utils.remove_spectral_norm(old)
    return [new, trained, still, old_trained, dict(old.state_dict())]


@scenario
def clipping(torch):
    utils = torch.nn.utils

    def parameters():
        found = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
        found[0].grad = torch.tensor([3.0, -4.0])
        return found

    found = []
    for order in (2.0, 1.0, 3.0, float("inf")):
        some = parameters()
        found.append([utils.clip_grad_norm_(some, 1.0, order), some[0].grad, some[1].grad])
    some = parameters()
    utils.clip_grad_value_(some, 3.5)
    found.append(some[0].grad)
    found.append(utils.get_total_norm([p.grad for p in some[:1]]))
    some[0].grad[0] = float("nan")
    found.append(outcome(lambda: utils.clip_grad_norm_(some, 1.0, error_if_nonfinite=True)))
    found.append(utils.clip_grad_norm_([], 1.0))
    return found


@scenario
def vectors(torch):
    m = layer(torch)
    vector = torch.nn.utils.parameters_to_vector(m.parameters())
    torch.nn.utils.vector_to_parameters(torch.arange(9.0), m.parameters())
    return [
        vector, vector.requires_grad, m.weight, m.bias,
        outcome(lambda: torch.nn.utils.vector_to_parameters([1], m.parameters())),
    ]  # fmt: skip


@scenario
def packing(torch):
    rnn = torch.nn.utils.rnn
    pack = rnn.pack_padded_sequence
    padded = torch.arange(6.0).reshape(3, 2)
    packed = pack(padded, torch.tensor([2, 3]), enforce_sorted=False)
    pieces = [torch.ones(2), torch.zeros(3)]
    return outcomes(
        lambda: list(packed),
        lambda: rnn.pad_packed_sequence(packed),
        lambda: rnn.pad_packed_sequence(packed, True, -1, 4),
        lambda: rnn.pad_packed_sequence(packed, total_length=2),
        lambda: rnn.pad_sequence(pieces),
        lambda: rnn.pad_sequence(pieces, True, 9, "left"),
        lambda: rnn.unpad_sequence(rnn.pad_sequence(pieces), torch.tensor([2, 3])),
        lambda: list(rnn.pack_sequence(pieces, enforce_sorted=False)),
        lambda: rnn.pack_sequence(pieces),
        lambda: rnn.unpack_sequence(packed),
        lambda: str(packed.double().data.dtype),
        lambda: packed.to(torch.float32) is packed,
        lambda: pack(padded, [2, 3]),
        lambda: list(pack(padded, [3, 2])),
        lambda: list(pack(padded.t(), [3, 2], batch_first=True)),
        lambda: pack(padded, [3]),
        lambda: pack(padded, [3, 0]),
        lambda: pack(torch.ones(3, 2, 0), [3, 2]),
        lambda: pack(padded, torch.tensor([[3], [2]])),
        lambda: rnn.PackedSequence(1),
        lambda: rnn.pad_sequence([]),
        lambda: rnn.pad_sequence(3),
        lambda: rnn.pad_sequence(torch.ones(2, 2)),
        lambda: rnn.invert_permutation(torch.tensor([2, 0, 1])),
    )


@scenario
def functional_calls(torch):
    call = torch.func.functional_call
    m = torch.nn.Sequential(layer(torch, 2, 2), layer(torch, 2, 2))
    m[1].weight = m[0].weight
    x, ones = torch.ones(1, 2), torch.ones(2, 2)
    before = m[0].weight
    weight = torch.ones(2, 2, requires_grad=True)
    out = call(m, {"0.weight": weight}, x)
    out.sum().backward()
    return [
        out, weight.grad, m[0].weight is before,
        call(m, {"0.weight": ones}, (x,), tie_weights=False),
        call(m, [{"0.weight": ones}, {"0.bias": torch.zeros(2)}], x),
        *outcomes(
            lambda: call(m, {"0.weight": ones, "1.weight": ones * 2}, x),
            lambda: call(m, [{"0.bias": ones}, {"0.bias": ones}], x),
            lambda: call(m, {"0.bias": torch.zeros(2), "z": ones}, x, strict=True),
            lambda: call(m, {"z": ones}, x),
            lambda: call(m, 3, x),
        ),
    ]  # fmt: skip


@scenario
def skipping_initialisation(torch):
    skip = torch.nn.utils.skip_init
    return outcomes(
        lambda: tuple(skip(torch.nn.Linear, 2, 3).weight.shape),
        lambda: skip(3, 2),
        lambda: skip(torch.nn.ReLU),
    )


@scenario
def orthogonal_weights(torch):
    nn = torch.nn
    orthogonal = nn.utils.parametrizations.orthogonal

    def check(rows, columns, way, trivial):
        m = orthogonal(layer(torch, rows, columns), "weight", way, use_trivialization=trivial)
        w = m.weight.detach()
        product = w.T @ w if rows >= columns else w @ w.T
        error = (product - torch.eye(min(rows, columns))).abs().max() < 1e-4
        return [list(m.state_dict()), bool(error)]

    return [
        *[
            outcome(lambda r=r, c=c, w=w, t=t: check(r, c, w, t))
            for r, c in ((3, 3), (4, 2), (2, 4))
            for w in (None, "matrix_exp", "cayley", "householder")
            for t in (True,)
        ],
        *outcomes(
            lambda: orthogonal(layer(torch), "weight", "foo"),
            lambda: orthogonal(layer(torch), "bias"),
            lambda: orthogonal(layer(torch), "nothing"),
        ),
    ]


@scenario
def pruning(torch):
    nn, prune = torch.nn, import_module(f"{torch.__name__}.nn.utils.prune")
    m = layer(torch, 3, 4)
    prune.l1_unstructured(m, "weight", 2)
    first = [dict(m.state_dict()), m.weight, list(m._parameters), type(m.weight).__name__]
    m(torch.ones(1, 4)).sum().backward()
    gradient = m.weight_orig.grad
    prune.l1_unstructured(m, "weight", 0.5)
    second = [m.weight_mask, len(m._forward_pre_hooks)]
    prune.ln_structured(m, "weight", 1, 2, 0)
    third = m.weight_mask
    prune.remove(m, "weight")
    a, b = layer(torch, 2, 2), layer(torch, 3, 2)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=4)
    scored = prune.l1_unstructured(
        layer(torch), "weight", 2, torch.tensor([[3.0, 1], [2, 0], [9, 9]])
    )
    torch.manual_seed(0)
    drawn = [
        prune.random_unstructured(layer(torch, 4, 4), "weight", 5).weight_mask,
        prune.random_structured(layer(torch, 4, 4), "weight", 2, 1).weight_mask,
    ]
    return [
        first, gradient, second, third, dict(m.state_dict()), prune.is_pruned(m),
        prune.is_pruned(nn.Sequential(a)), a.weight_mask, b.weight_mask, scored.weight_mask, drawn,
        prune.identity(layer(torch), "bias").bias_mask,
        prune.L1Unstructured(1).prune(torch.tensor([3.0, -1.0])),
        *outcomes(
            lambda: prune.remove(m, "weight"),
            lambda: prune.l1_unstructured(m, "weight", 20),
            lambda: prune.l1_unstructured(m, "weight", -1),
            lambda: prune.l1_unstructured(m, "weight", 1.5),
            lambda: prune.l1_unstructured(m, "weight", "a"),
            lambda: prune.ln_structured(layer(torch), "bias", 1, 2, 0),
            lambda: prune.ln_structured(layer(torch), "weight", 1, 2, 5),
            lambda: prune.random_structured(layer(torch), "weight", 5, 0),
            lambda: prune.custom_from_mask(layer(torch), "weight", torch.ones(3)),
            lambda: prune.global_unstructured(3, prune.L1Unstructured, amount=1),
            lambda: prune.global_unstructured(
                [(layer(torch), "weight")], prune.RandomStructured, amount=1
            ),
        ),
    ]  # fmt: skip
