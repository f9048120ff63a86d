"""What random programs are made of: templates of one line each.

A field in braces is filled in when the line is made: `{a}` any tensor, `{f}` a floating one, `{r}`
one that requires grad if there is any, `{leaf}` a leaf that does, `{b}` one that broadcasts with
the first, `{w}` one that broadcasts to it, `{d}`, `{e}` dimensions of the first, `{s}` a number,
`{x}` a subscript of the first, `{mask}`, `{index}` a boolean or an index tensor for it, `{new}` a
new name, and a few more in `fields.py`.
"""

from __future__ import annotations

POINTWISE = (
    "exp sin cos tanh sigmoid abs neg relu sqrt square log reciprocal clone floor sign round trunc "
    "logical_not isnan expm1 log1p rsqrt ceil isfinite atan erf positive contiguous bool"
).split()
POINTWISE_2 = (
    "add sub mul div maximum minimum eq lt ge ne fmod remainder atan2 logical_and logical_or "
    "true_divide fmax"
).split()
IN_PLACE = (
    "exp sin tanh sigmoid abs neg relu sqrt square zero floor cos sign round reciprocal"
).split()
IN_PLACE_2 = "add sub mul div copy add mul copy remainder fmod".split()
REDUCTIONS = "sum mean prod amax amin any all argmax argmin logsumexp std var".split()

NEW = ["{new} = {tensor}", "{new} = {tensor}", "{new} = torch.arange({n}.)", "{new} = {leaf_tensor}"]
VIEWS = [
    "{new} = {a}[{basic}]",
    "{new} = {a}[{basic}]",
    "{new} = {a}.transpose({d}, {e})",
    "{new} = {a}.t()",
    "{new} = {a}.view({shape})",
    "{new} = {a}.reshape({shape})",
    "{new} = {a}.expand(2, *{a}.shape)",
    "{new} = {a}.unsqueeze({d}).expand({grown})",
    "{new} = {a}.diagonal(0, {d}, {e})",
    "{new} = {a}.select({d}, {i})",
    "{new} = {a}.narrow({d}, 0, {k})",
    "{new} = {a}.unsqueeze({d})",
    "{new} = {a}.squeeze()",
    "{new} = {a}.flatten()",
    "{new} = {a}.permute({permutation})",
    "{new} = {a}.unfold({d}, 1, {step})",
    "{new} = {a}.chunk(2, {d})[0]",
    "{new} = {a}.unbind({d})[-1]",
    "{new} = {a}.split(1, {d})[{i}]",
    "{new} = {a}.movedim({d}, {e})",
    "{new} = {a}.as_strided({strided})",
    "{new} = {a}.detach()",
    "{new} = {a}.data",
    "{new} = {a}.real",
    "{new} = {a}.view_as({a})",
    "{new} = torch.view_as_real({c})",
    "{new} = {a}.T",
    "{new} = {a}.swapdims({d}, {e})",
]
WRITES = [
    "{a}[{basic}] = {s}",
    "{a}[{x}] = {s}",
    "{a}[{basic}] = {a}[{basic}] * 2",
    "{a}[{x}] += {s}",
    "{a}[{basic}] *= {s}",
    "{a}[{mask}] = {s}",
    "{a}[{index}] = {w}[{index}]",
    "{a}[...] = {w}",
    "{a}.masked_fill_({mask}, {s})",
    "{a}.index_fill_({d}, {index}, {s})",
    "{a}.index_add_({d}, {index_k}, {a}.narrow({d}, 0, {k}).clone())",
    "{a}.index_copy_({d}, {index_k}, {a}.narrow({d}, 0, {k}).clone())",
    "{a}.scatter_({d}, {index_like}, {s})",
    "{a}.scatter_add_({d}, {index_like}, {a}.clone())",
    "{a}.index_put_(({index},), {a}[{index}], accumulate=True)",
    "{a}.fill_({s})",
    "{a}.clamp_(-1, 1)",
    "{a}.addcmul_({w}, {w}, value=2)",
    "{a}.lerp_({w}, 0.5)",
    "{a}.pow_(2)",
    "{a}.fill_diagonal_({s})",
    "{a}.diagonal(0, {d}, {e}).mul_({s})",
    "{a}.t().add_({s})",
    "{a}.select({d}, {i}).add_({w0})",
    "{a}.view(-1)[0:2].mul_({s})",
    "{a}.unsqueeze_({d})",
    "{a}.transpose_({d}, {e})",
    "{a}.squeeze_()",
    "{a}.data.mul_(2)",
    "{a}.detach().add_(1)",
    "{a} += {w}",
    "{a} *= {w}",
    "{a} -= {s}",
    "{a}.masked_scatter_({mask}, {w}.flatten().repeat(20))",
    "{a}.cumsum_({d})",
    "{a}.tril_()",
    "{a}.copy_({a}) if False else torch.add({w}.expand_as({a}), {s}, out={a})",
]
READS = [
    "{new} = {a}[{x}]",
    "{new} = {a}[{mask}]",
    "{new} = {a}[{index}]",
    "{new} = {a}[{x}, None]",
    "{new} = {a}.index_select({d}, {index})",
    "{new} = {a}.gather({d}, {index_like})",
    "{new} = {a}.take({index0})",
    "{new} = {a}.masked_select({mask})",
    "{new} = {a}.masked_fill({mask}, {s})",
    "{new} = {a}.where({mask}, {b})",
    "{new} = {a}.where({mask}, {s})",
    "{new} = {a}.nonzero()",
    "{new} = {a}.scatter_add({d}, {index_like}, {a})",
]
SHAPES = [
    "{new} = torch.cat([{a}, {a}], {d})",
    "{new} = torch.cat([{a}, {b}.expand_as({a})], {d})",
    "{new} = torch.stack([{a}, {a}], {d})",
    "{new} = {a}.flip({d})",
    "{new} = {a}.roll(1, {d})",
    "{new} = {a}.repeat_interleave(2).clone()",
    "{new} = {a}.repeat({ones})",
    "{new} = {a} @ {a}.transpose(-1, -2)",
    "{new} = {a} @ {b}",
    "{new} = {a}.flatten() @ {a}.flatten()",
    "{new} = {a}.cumsum({d})",
    "{new} = {a}.softmax({d})",
    "{new} = {a}.log_softmax({d})",
    "{new} = {a}.sort({d})[0]",
    "{new} = {a}.max({d})[0]",
    "{new} = {a}.max({d})[1]",
    "{new} = {a}.topk(1, {d})[0]",
    "{new} = {a}.norm()",
    "{new} = {a}.cumprod({d})",
    "{new} = {a}.triu()",
    "{new} = {a}.clamp(-1, {s})",
    "{new} = {a}.{reduction}()",
    "{new} = {a}.{reduction}({d})",
    "{new} = {a}.{reduction}({d}, keepdim=True)",
    "{new} = {a}.{reduction}({d})",
    "{new} = {a}.to({dtype})",
    "{new} = {a}.to({dtype})",
    "{new} = {a}.type_as({b})",
    "{new} = torch.zeros_like({a})",
    "{new} = {a}.new_ones({shape})",
    "{new} = {a}.softmax({d}, dtype=torch.float64)",
    "{new} = {a}.sum({d}, dtype=torch.float64)",
    "{new} = torch.nn.functional.pad({a}, (1, 0), value={s})",
]
TAPE = [
    "{r}.sum().backward()",
    "{r}.sum().backward(retain_graph=True)",
    "({r} * {r}).sum().backward()",
    "{r}.backward(torch.ones_like({r}), retain_graph=True)",
    "{r}.sum().backward(inputs=[{leaf}])",
    "{r}.mean().backward(create_graph=True)",
    "{new} = torch.autograd.grad({r}.sum(), {leaf}, create_graph=True, allow_unused=True)[0] * 1",
    "{new} = torch.autograd.grad({r}.sum(), {r}, retain_graph=True)[0] * 1",
    "{new} = torch.autograd.grad({r}.sum(), {q}, retain_graph=True, allow_unused=True)[0] * 1",
    "{new} = torch.autograd.grad(({r} ** 3).sum(), {leaf}, create_graph=True)[0] * 1",
    "{new} = torch.autograd.grad(({r} ** 3).sum(), {q}, create_graph=True, allow_unused=True)[0] * 1",
    "{r}.abs().sum().backward(retain_graph=True)",
    "{r}.retain_grad()",
    "{leaf}.grad = None",
    "{leaf}.grad.zero_()",
    "{new} = {leaf}.grad * 1",
    "{leaf}.requires_grad_(False)",
    "{r}.register_hook(lambda g: g * 2) and None",
    "{leaf}.data.add_(0.5)",
]
# (how often, templates)
FAMILIES: list[tuple[int, list[str]]] = [
    (2, NEW),
    (9, VIEWS),
    (5, [f"{{new}} = {{a}}.{name}()" for name in POINTWISE]),
    (4, [f"{{new}} = {{a}}.{name}({{b}})" for name in POINTWISE_2]),
    (2, [f"{{new}} = {{a}}.{name}({{s}})" for name in POINTWISE_2 if name[:2] not in ("fm", "ma", "mi", "at", "lo")]),
    (1, ["{new} = {s} - {a}", "{new} = {s} / {a}", "{new} = {a} ** 2", "{new} = {s} ** {a}", "{new} = {a} ** {s}"]),
    (4, [f"{{a}}.{name}_()" for name in IN_PLACE]),
    (5, [f"{{a}}.{name}_({{w}})" for name in IN_PLACE_2]),
    (2, [f"{{a}}.{name}_({{s}})" for name in IN_PLACE_2 if name != "copy"]),
    (6, WRITES),
    (5, READS),
    (6, SHAPES),
    (6, TAPE),
]  # fmt: skip
