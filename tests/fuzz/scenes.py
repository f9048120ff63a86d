"""Random training scripts of the kinds that people write: epochs over a DataLoader, accumulation,
checkpoints, two models in turn, truncated histories, closures, gradients of gradients.

A scene is a model, what happens to a batch before it comes in, a way of taking a step, and lines
that look at, or change, something on the way.
"""

from __future__ import annotations

from random import Random

from .loops import Line, Loop

START = [
    "X, Y, B = torch.arange(96.).reshape(24, 4).sin(), torch.arange(24) % 3, 6",
    "A, C, ids = X.numpy().copy(), Y.numpy().copy(), (torch.arange(96) * 7 % 5).reshape(24, 4)",
    "data = torch.utils.data.TensorDataset(X, Y)",
    "held, view, losses, total = torch.zeros(6, 4), torch.zeros(3), [], 0.0",
    "loss, out, extra, state = torch.zeros(()), torch.zeros(1, 3), None, None",
    "from torch.utils.checkpoint import checkpoint",
]  # fmt: skip
# attention without biases: the slope of the keys' would be nothing but rounding
MODELS = [
    # embeddings of rows that occur again and again; their input is made of the batch
    """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = torch.nn.Embedding(5, 4{padding}), torch.nn.Linear(4, 3)
    def forward(self, x):
        rows = self.table((x * 2).long().abs() % 5)
        return self.head(rows.{pool})
model = Model()""",
    """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 4)
        self.attend = torch.nn.MultiheadAttention(4, 2, bias=False, batch_first=True)
        self.norm, self.head = torch.nn.LayerNorm(4), torch.nn.Linear(4, 3)
    def forward(self, x):
        h = self.inner(x.reshape(-1, 2, 2))
        h = self.norm(h + self.attend(h, h, h, need_weights={weights})[0])
        return self.head(h.mean(1))
model = Model()""",
    """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.head = torch.nn.Linear(2, 12, bias=False), torch.nn.Linear(4, 3)
    def forward(self, x):
        q, k, v = self.qkv(x.reshape(-1, 2, 2)).view(-1, 2, 3, 2, 2).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, is_causal={causal})
        return self.head(h.transpose(1, 2).flatten(2)[:, -1])
model = Model()""",
    """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.{cell}(2, 4, {layers}batch_first=True)
        self.head = torch.nn.Linear(4, 3)
    def forward(self, x):
        steps, last = self.cell(x.reshape(-1, 2, 2))
        return self.head(steps[:, -1])
model = Model()""",
    """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.head, self.flag = torch.nn.Linear(4, 3), True
    def forward(self, x):
        h = self.first(x).relu()
        for _ in range(2):
            h = h + torch.tanh(self.second(h))
        return self.head(h if self.flag else F.dropout(h, 0.5, self.training))
model = Model()""",
    "model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.{Act}(), torch.nn.Linear(8, 3))",
    "model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), "
    "torch.nn.ReLU(inplace=True), torch.nn.Linear(8, 3))",
    "model = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 4)), torch.nn.Conv1d(1, 4, 2), "
    "torch.nn.GroupNorm(2, 4), torch.nn.{Act}(), torch.nn.Flatten(), torch.nn.Linear(12, 3))",
]  # fmt: skip
CHOICES = {
    "padding": ["", ", padding_idx=1"], "pool": ["mean(1)", "sum(1)", "amax(1)"],
    "weights": ["False", "True"], "causal": ["False", "True"], "cell": ["LSTM", "GRU", "RNN"],
    "layers": ["", "2, ", "1, bidirectional=False, "],
    "Act": ["ReLU", "Tanh", "GELU", "SiLU", "Sigmoid"],
}  # fmt: skip
OPTIMIZERS = [
    "SGD({p}, lr=0.1)", "SGD({p}, lr=0.05, momentum=0.9)", "Adam({p}, lr=0.01)",
    "AdamW({p}, lr=0.01)", "SGD({p}, lr=0.05, momentum=0.9, nesterov=True)",
]  # fmt: skip
SCHEDULES = [
    "StepLR(opt, 3, 0.5)", "CosineAnnealingLR(opt, 10)", "ExponentialLR(opt, 0.9)",
    "LambdaLR(opt, lambda n: 1 / (1 + 0.2 * n))", "OneCycleLR(opt, 0.1, 40)",
    "MultiStepLR(opt, [3, 6], 0.3)",
]  # fmt: skip
BATCHES = [
    "x, y = X[:B], Y[:B]", "x, y = X[i:i + B], Y[i:i + B]", "x, y = X[i % 3::4], Y[i % 3::4]",
    "pick = torch.randint(0, 24, (B,))\nx, y = X[pick], Y[pick]",
    "x, y = torch.from_numpy(A[i:i + B]), torch.from_numpy(C[i:i + B])",
    "held.copy_(X[i:i + 6])\nx, y = held, Y[i:i + 6]", "x, y = X[:B + i % 3], Y[:B + i % 3]",
    "x, y = data[i:i + B]", "x, y = torch.rand(B, 4), torch.randint(3, (B,))",
]  # fmt: skip
# calls that change nothing, or hand on a part
PASSING = [
    "x, y = x.to('cpu'), y.to(x.device)", "x = x.to(torch.float32)", "model.to('cpu')",
    "x = x.cpu().contiguous()", "x, y = x[:], y[...]", "x = x.view_as(x)", "x = x.float()",
    "model = model.to('cpu').float()", "x = x.type_as(X)", "y = y.long()", "x = x.detach()",
    "x, y = x[:4], y[:4]", "x = torch.cat([part for part in x.split(2)])",
    "x = torch.stack(x.unbind(0))", "x = x.clone()\nx[:, 0].mul_(0.5)\nx[1:2] += 0.1",
    "mask = x[:, 0] > -0.9\nx, y = x[mask], y[mask]", "x = x.t().contiguous().t()",
]  # fmt: skip
PLAIN = "out = model(x)\nloss = F.cross_entropy(out, y)\nopt.zero_grad()\nloss.backward()\n"
STEPS = [
    PLAIN + "opt.step()", PLAIN + "torch.nn.utils.clip_grad_norm_(params, 0.3)\nopt.step()",
    PLAIN + "log(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())\nopt.step()",
    # accumulation
    "out = model(x)\nloss = F.cross_entropy(out, y) / 3\nloss.backward()\n"
    "if i % 3 == 2:\n    opt.step()\n    opt.zero_grad()",
    "opt.zero_grad()\nfor part, want in zip(x.split(2), y.split(2)):\n"
    "    out = model(part)\n    loss = F.cross_entropy(out, want, reduction='sum') / len(x)\n"
    "    loss.backward()\n    total += loss.item()\nopt.step()",
    # an epoch over a DataLoader, its last batch shorter
    "for x, y in torch.utils.data.DataLoader(data, batch_size=10, shuffle={shuffle}):\n"
    + "".join(f"    {line}\n" for line in (PLAIN + "opt.step()").split("\n"))
    + "    total += float(loss.detach())",
    "for n, (x, y) in enumerate(loader):\n    opt.zero_grad(set_to_none=n % 2 == 0)\n"
    "    out = model(x)\n    loss = F.cross_entropy(out, y)\n    loss.backward()\n    opt.step()\n"
    "    if n == i % 3: break",
    # checkpoints
    "h = checkpoint(model, x, use_reentrant=False)\nout = h * 1.5\n"
    "loss = F.cross_entropy(out, y)\nopt.zero_grad()\nloss.backward()\nopt.step()",
    # a second model in turn, or as an adversary
    "which, its = [(model, opt), (other, opt2)][i % 2]\nout = which(x)\n"
    "loss = F.cross_entropy(out, y)\nits.zero_grad()\nloss.backward()\nits.step()",
    "out = model(x)\nopt2.zero_grad()\nF.mse_loss(other(out.detach()), X[:len(x), :3]).backward()\n"
    "opt2.step()\nopt.zero_grad()\nloss = other(out).square().mean() + F.cross_entropy(out, y)\n"
    "loss.backward()\nopt.step()",
    # a history that is cut
    "state = torch.zeros(len(x), 3) if state is None or len(state) != len(x) else state.detach()\n"
    "for _ in range(2):\n    state = torch.tanh(model(x) + 0.5 * state)\nout = state\n"
    "loss = F.cross_entropy(out, y)\nopt.zero_grad()\nloss.backward()\nopt.step()",
    # gradients of gradients
    "x = x.clone().requires_grad_()\nout = model(x)\n"
    "slope = torch.autograd.grad(out.sum(), x, create_graph=True, allow_unused=True)[0]\n"
    "loss = F.cross_entropy(out, y)\n"
    "if slope is not None and slope.requires_grad:\n"
    "    loss = loss + 0.1 * slope.square().sum()\n"
    "opt.zero_grad()\nloss.backward()\nopt.step()",
    # two backwards of one forward
    "out = model(x)\nloss = F.cross_entropy(out, y)\nopt.zero_grad()\n"
    "out.square().mean().backward(retain_graph=True)\nloss.backward()\nopt.step()",
    "def closure():\n    opt.zero_grad()\n    found = F.cross_entropy(model(x), y)\n"
    "    found.backward()\n    return found\nloss = opt.step(closure)\nout = loss.reshape(1)",
    # by hand
    "out = model(x)\nloss = F.cross_entropy(out, y)\nmodel.zero_grad()\nloss.backward()\n"
    "with torch.no_grad():\n    for p in params:\n        if p.grad is not None: p -= 0.1 * p.grad",
    "out = model(x)\nloss = F.cross_entropy(out, y)\n"
    "grads = torch.autograd.grad(loss, params, allow_unused=True)\n"
    "for p, g in zip(params, grads):\n    if g is not None: p.data.add_(g, alpha=-0.1)",
]  # fmt: skip
HALF = (
    "with torch.autocast('cpu', torch.bfloat16):\n    out = model(x)\n"
    "    loss = F.cross_entropy(out.float(), y)\nopt.zero_grad()\nloss.backward()\nopt.step()"
)
READS = [
    "losses.append(loss)", "losses.append(loss.detach())", "log(loss.item())", "log(losses[-3:])",
    "losses.append(loss.item())", "total += float(loss)", "log(out.argmax(-1).tolist())",
    "log([p.grad is None for p in params])", "keep(out.detach())", "keep(params[0].grad)",
    "log(sum(float(l) for l in losses))", "log(f'{i}: {loss:.3f}')",
    "log(opt.param_groups[0]['lr'])",
    "with torch.no_grad(): log((model(X[:6]).argmax(-1) == Y[:6]).float().mean().item())",
    "model.eval()\nwith torch.inference_mode(): log(model(X[6:9]).softmax(-1))\nmodel.train()",
    "log(model(X[:2]).detach().numpy())", "log(params[-1].norm().item() > 0)", "print_ = str(out)",
    "extra = {n: p.grad.norm().item() for n, p in model.named_parameters() if p.grad is not None}",
]  # fmt: skip
# what happens between steps, now and then
BETWEEN = [
    "A[:] = np.roll(A, 1, 0)", "A *= 0.95", "X.numpy()[i % 24] = 0.1 * i", "held.numpy()[:] += 0.1",
    "params[-1].detach().numpy()[0] = 0.05 * i",
    "array = params[0].detach().numpy()\narray *= 0.99",
    "view = params[-1].detach()[:1]", "view.mul_(0.9)", "view = X[i % 20]", "view.add_(0.01)",
    "view.zero_()", "X[:, 1].mul_(0.99)", "X.t()[0].add_(0.01)", "X.unbind(1)[2].neg_()",
    "first, second = X.split(12)\nfirst[0] = second[1]", "Y[i % 24] = i % 3",
    "del opt\nopt = torch.optim.{opt}", "opt = torch.optim.{opt}",
    "opt.load_state_dict(copy.deepcopy(opt.state_dict()))", "model, other = other, model",
    "model = copy.deepcopy(model)\nparams = list(model.parameters())\nopt = torch.optim.{opt}",
    "other.load_state_dict(model.state_dict())", "gc.collect()", "torch.manual_seed(i)",
    "params[0].requires_grad_(i % 3 != 0)", "params[0].data = params[0].data * 0.9",
    "params[0].data = torch.full_like(params[0], 0.1)", "del losses[:]", "losses = losses[-2:]",
    "with torch.no_grad(): params[0].view(-1)[0] = 0.3", "params[-1].data.clamp_(-0.5, 0.5)",
    "opt.param_groups[0]['lr'] = 0.1 / (1 + i)", "B = 4 + i % 3", "model.train(i % 2 == 0)",
    "with torch.no_grad():\n    for p, q in zip(params, other.parameters()):\n"
    "        if p.shape == q.shape: q.lerp_(p, 0.1)",
    "torch.set_grad_enabled(i % 4 != 1)\ntorch.set_grad_enabled(True)", "out = loss = None",
    "rng = torch.get_rng_state()\ntorch.rand(3)\ntorch.set_rng_state(rng)",
    "if i > 2: raise Interrupt", "loss.backward()", "losses[-1].backward()", "out.add_(1)",
]  # fmt: skip
CONDITIONS = ["", "i % 2", "i % 3 == 2", "i == 5", "i == 7", "i >= 8", "i < 6"]


def _filled(random: Random, text: str) -> str:
    for name, options in CHOICES.items():
        text = text.replace("{" + name + "}", random.choice(options))
    return text


def scene(random: Random) -> Loop:
    """A random script."""
    model = _filled(random, random.choice(MODELS))
    optimizer = random.choice(OPTIMIZERS).format(p="params")
    setup = [model, *START]
    step = random.choice(STEPS).replace("{shuffle}", random.choice(["True", "False"]))
    half = random.random() < 0.05
    judges = "other(out" in step  # an adversary, of the results
    setup.append("other = torch.nn.Linear(3, 3)" if judges else "other = copy.deepcopy(model)")
    setup += [
        "params = list(model.parameters())", "opt = torch.optim." + optimizer,
        "opt2 = torch.optim.SGD(other.parameters(), lr=0.05, momentum=0.5)",
        "loader = torch.utils.data.DataLoader(data, batch_size=7, shuffle=True, "
        "generator=torch.Generator().manual_seed(5))",
    ]  # fmt: skip
    body = [Line(random.choice(BATCHES))]
    while random.random() < 0.5:
        body.append(Line(random.choice(PASSING)))
    body.append(Line(HALF if half else step))
    if random.random() < 0.3:
        setup.append(f"schedule = torch.optim.lr_scheduler.{random.choice(SCHEDULES)}")
        body.append(Line("schedule.step()"))
    for _ in range(random.randrange(4)):
        body.append(Line(random.choice(READS), random.choice(CONDITIONS)))
    for _ in range(random.randrange(4)):
        text = random.choice(BETWEEN).replace("{opt}", optimizer)
        if judges and text.startswith(("model, other", "other.load")):
            continue
        place = random.choice([0, len(body)])
        body.insert(place, Line(text, random.choice(CONDITIONS[1:])))
    return Loop(tuple(setup), tuple(body), steps=12, tolerance=8e-2 if half else 3e-4)
