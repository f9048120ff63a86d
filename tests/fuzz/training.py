"""Random training loops: a model, optimizers, reads, and changes in the middle of the run."""

from __future__ import annotations

from random import Random

from .loops import Line, Loop

RECURRENT = """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = torch.nn.{cell}(2, 4, batch_first=True), torch.nn.Linear(4, 3)
    def forward(self, x):
        return self.head(self.cell(x.view(-1, 2, 2))[0][:, -1])
model = Model()"""
TIED = """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4, 4) * 0.3)
        self.head = torch.nn.Linear(4, 3)
    def forward(self, x):
        return self.head(F.linear(F.linear(x, self.weight).tanh(), self.weight.t()))
model = Model()"""
ATTENTION = """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.head = torch.nn.Linear(2, 6, bias=False), torch.nn.Linear(4, 3)
    def forward(self, x):
        q, k, v = self.qkv(x.view(-1, 2, 2)).chunk(3, -1)
        return self.head((torch.softmax(q @ k.transpose(1, 2), -1) @ v).flatten(1))
model = Model()"""
PLAIN = """class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        parts = [torch.randn(4, 5) * 0.3, torch.zeros(5), torch.randn(5, 3)]
        self.parts = torch.nn.ParameterList(parts)
    def forward(self, x):
        return (x @ self.parts[0] + self.parts[1]).{act}() @ self.parts[2]
model = Model()"""
SEQUENCES = [
    "Linear(4, 8), torch.nn.{Act}(), torch.nn.Linear(8, 3)",
    "Linear(4, 8), torch.nn.{Act}(), torch.nn.Linear(8, 8), torch.nn.{Act}(), "
    "torch.nn.Linear(8, 3)",
    "Linear(4, 8), torch.nn.{Act}(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 3)",
    # without a bias: its slope would be nothing but rounding, which Adam makes large
    "Linear(4, 8, bias=False), torch.nn.BatchNorm1d(8), torch.nn.{Act}(), torch.nn.Linear(8, 3)",
    "Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.{Act}(), torch.nn.Linear(8, 3)",
    "Unflatten(1, (1, 2, 2)), torch.nn.Conv2d(1, 3, 2, padding=1), torch.nn.{Act}(), "
    "torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(3, 3)",
    "Linear(4, 3)",
]
ACTIVATIONS = ["ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "LeakyReLU", "ELU", "Softplus"]
OPTIMIZERS = [
    "SGD({p}, lr=0.1)", "SGD({p}, lr=0.1, momentum=0.9)", "SGD({p}, lr=0.05, weight_decay=0.01)",
    "SGD({p}, lr=0.05, momentum=0.9, nesterov=True)", "Adam({p}, lr=0.02)",
    "AdamW({p}, lr=0.02, weight_decay=0.01)", "Adam({p}, lr=0.01, amsgrad=True)",
    "RMSprop({p}, lr=0.01)", "Adagrad({p}, lr=0.05)", "AdamW({p}, lr=0.02, foreach=False)",
]  # fmt: skip
DATA = [
    "x, y = X[:B], Y[:B]",
    "x, y = torch.rand(B, 4), torch.randint(0, 3, (B,))",
    "s = (i * B) % 20\nx, y = X[s:s + B], Y[s:s + B]",
    "pick = torch.randperm(24)[:B]\nx, y = X[pick], Y[pick]",
    "buffer[:] = np.cos(np.arange(24).reshape(6, 4) + i)\nx, y = shared[:B], Y[:B]",
    "held.copy_(X[i:i + 6])\nx, y = held[:B], Y[i:i + B]",
    "x, y = next(batches)",
    "s = (i * B) % 20\nx, y = torch.from_numpy(A[s:s + B]), torch.as_tensor(C[s:s + B])",
]
SETUP = [
    "X, Y, B = torch.arange(96.).reshape(24, 4).sin(), torch.arange(24) % 3, 6",
    "buffer, held = np.zeros((6, 4), np.float32), torch.zeros(6, 4)",
    "loss, out = torch.zeros(()), torch.zeros(1, 3)",
    "shared = torch.from_numpy(buffer)",
    "A, C, seen = X.numpy().copy(), Y.numpy().copy(), None",
    "data = torch.utils.data.TensorDataset(X, Y)",
    "loader = torch.utils.data.DataLoader(data, batch_size=6, shuffle=True)",
    "batches = (b for _ in range(9) for b in loader)",
    "total, best, weight, saved, handles, held_losses = torch.zeros(()), 9e9, 1.0, None, [], []",
]
PREPARE = [
    "x = (x - x.mean(0)) / (x.std(0) + 0.1)", "x = x.flip(1)", "x = x + 0.1 * torch.rand(4)",
    "x = x[x[:, 0] > -0.5]\ny = y[:len(x)]", "x = x.clone().requires_grad_()",
    "x = x.to(torch.float32).contiguous()", "x = torch.where(x > 0.9, 0.9, x)",
]  # fmt: skip
MIDDLE = [
    "out = out * 1.5", "out = out + 0.1 * i", "out = F.dropout(out, 0.2)", "out = out.clamp(-3, 3)",
    "out[:, 0].mul_(0.5)", "out = out - out.detach().mean()", "out.mul_(1.1)",
    "out = torch.cat([out, out], 1)[:, :3]", "hidden = out.exp()\nout = out + hidden.log1p()",
    "out = out.view(-1).view(-1, 3)", "torch.rand(3)",
    "A *= 0.99", "seen = y.numpy()", "out.register_hook(lambda g: g * 0.9)",
]  # fmt: skip
LOSSES = [
    "loss = F.cross_entropy(out, y)", "loss = F.cross_entropy(out, y) * weight",
    "loss = F.nll_loss(F.log_softmax(out, 1), y)",
    "loss = F.mse_loss(out, F.one_hot(y, 3).float())",
    "loss = F.cross_entropy(out, y, reduction='sum') / (1 + i)",
    "loss = F.cross_entropy(out, y, label_smoothing=0.1)", "loss = (out - 1).square().mean()",
    "loss = F.smooth_l1_loss(out, X[0, :3].expand_as(out))",
    "loss = F.binary_cross_entropy_with_logits(out, F.one_hot(y, 3).float())",
]  # fmt: skip
LOSS_MORE = [
    "loss = loss + 0.01 * sum(p.square().sum() for p in params)", "loss = loss * (1 + 0.1 * i)",
    "loss = loss + 0.1 * torch.autograd.grad(out.sum(), params[-1], create_graph=True, "
    "allow_unused=True)[0].square().mean()",
    "loss = loss / 4",
]  # fmt: skip
BACKWARD = [
    "loss.backward()", "loss.backward()", "loss.backward()", "loss.backward(retain_graph=True)",
    "loss.backward(retain_graph=True)\nloss.backward()",
    "for p, g in zip(params, torch.autograd.grad(loss, params, allow_unused=True)): p.grad = g",
    "loss.backward(torch.tensor(0.5))",
]  # fmt: skip
BEFORE_STEP = [
    "torch.nn.utils.clip_grad_norm_(params, 0.5)",
    "log(torch.nn.utils.clip_grad_norm_(params, 1.))",
    "torch.nn.utils.clip_grad_value_(params, 0.05)", "params[-1].grad.mul_(0.5)",
    "params[0].grad = params[0].grad * 2 if params[0].grad is not None else None",
]  # fmt: skip
READS = [
    "log(loss.item())", "log(loss.item())", "keep(loss)", "keep(loss.detach())", "log(float(loss))",
    "total = total + loss.detach()", "total += loss.detach()", "log(out.detach().numpy())",
    "log(f'{i} {loss.item():.4f}')", "log(str(loss))", "log((out.argmax(1) == y).sum())",
    "if loss.item() < best: best, saved = loss.item(), copy.deepcopy(model.state_dict())",
    "log(params[0].grad)", "log(params[-1])", "keep(params[-1].grad)", "keep(out)",
    "log(out.shape, out.requires_grad, out.is_leaf, str(out.dtype), loss.grad_fn is None)",
    "keep(params[-1].detach().clone())", "log(params[0].detach().numpy())", "log(total)",
    "log(out.max().item(), bool((out > 0).any()))", "kept[-2:] = []", "log(x.grad)",
    "log({'version': params[-1]._version})",
]  # fmt: skip
CHANGES = [
    "opt.param_groups[0]['lr'] *= 0.5", "opt.param_groups[0]['weight_decay'] = 0.02",
    "weight = 0.5",
    "params[0].requires_grad_(False)", "params[-1].data = params[-1].data * 0.5", "B = 3", "B = 4",
    "params[-1].data.mul_(0.5)", "with torch.no_grad(): params[0].add_(0.01)", "gc.collect()",
    "model.load_state_dict(saved or copy.deepcopy(model.state_dict()))", "torch.manual_seed(3)",
    "saved = copy.deepcopy(model.state_dict())", "model.eval()", "rng = torch.get_rng_state()",
    "model = copy.deepcopy(model)\nparams = list(model.parameters())\nopt = torch.optim.{opt}",
    "opt = torch.optim.{opt}", "opt.state.clear()", "opt.load_state_dict(opt.state_dict())",
    "opt.add_param_group({{'params': [torch.nn.Parameter(torch.ones(2))], 'lr': 0.1}})",
    "params[-1].grad = None", "params[-1].grad = torch.ones_like(params[-1])",
    "handles.append(params[0].register_hook(lambda g: g * 0.5))", "raise Interrupt",
    "raise ValueError('stop')", "loss.backward()", "torch.ones(2) + torch.ones(3)",
    "file = io.BytesIO()\ntorch.save(model.state_dict(), file)\nfile.seek(0)\n"
    "model.load_state_dict(torch.load(file))", "held_losses.append((params[-1] ** 2).sum())",
    "model.zero_grad(set_to_none=False)", "params[-1].detach().numpy()[:] = 0.1",
    "seen = [p.detach().numpy() for p in params]", "seen = None",
    "if type(seen) is list: seen[0] *= 0.9",
    "[p.requires_grad_(not p.requires_grad) for p in params[:1]]", "del loss, out",
    "for h in handles: h.remove()", "torch.set_rng_state(torch.get_rng_state())",
    "handles.append(model.register_forward_hook(lambda m, a, out: out * 0.5))",
    "handles.append(list(model.modules())[-1].register_forward_hook(lambda m, a, out: out * 0.5))",
    "handles.append(list(model.modules())[-1].register_forward_pre_hook(lambda m, a: log(1)))",
    "for m in model.modules():\n    if hasattr(m, 'p'): m.p = 0.6",
    "for m in model.modules():\n    if hasattr(m, 'eps'): m.eps = 0.1",
    "if hasattr(model, 'append'): model.append(torch.nn.Tanh())",
    "if hasattr(model, 'append'): model[1] = torch.nn.Softplus()",
    "if hasattr(model, 'append'): model._modules['1'] = torch.nn.GELU()",
    "list(model.modules())[1]._parameters.update(bias=None)",
    "list(model.modules())[1].forward = lambda *a: type(list(model.modules())[1]).forward("
    "list(model.modules())[1], *a)",
]  # fmt: skip
NOW_AND_THEN = [
    "model.train(i % 3 != 2)", "with torch.no_grad(): log(model(X[:5]).sum())", "model.zero_grad()",
    "with torch.inference_mode(): keep(model(X[:5]))", "opt.param_groups[0]['lr'] *= 0.9",
    "weight = 1 + 0.1 * i", "params[0].requires_grad_(i % 2 == 0)", "B = 2 + i % 4",
    "with torch.no_grad():\n    for p in params: p.mul_(0.99)", "saved = model.state_dict()",
    "if held_losses: held_losses.pop().backward()", "extra = (out.detach() @ X[:3, :3]).relu()",
    "held_losses.append((params[-1] ** 2).sum())", "log(torch.rand(2))",
    "values = {{n: p * (1 + 0.1 * i) for n, p in model.named_parameters()}}\n"
    "log(torch.func.functional_call(model, values, (X[:4],)).sum())",
    "for m in model.modules():\n    if hasattr(m, 'p'): m.p = 0.1 * (i % 5)",
    "for m in model.modules(): m.training = i % 4 != 1",
]  # fmt: skip
# Python of the user's in the middle of forward and backward
FUNCTIONS = """class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale=4.0):
        y = torch.round(x * scale) / scale
        ctx.save_for_backward(x, y)
        ctx.scale, ctx.x = scale, x
        return y
    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * (x.abs() < 2) + 0.01 * (y - ctx.x), None
class Pair(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        first, second = a * b.sum(), b.view_as(b)
        ctx.mark_non_differentiable(second)
        return first, second
    @staticmethod
    def backward(ctx, g, _):
        a, b = ctx.saved_tensors
        log(g.norm()) if g.dim() == 1 else None
        return g * b.sum(), (g * a).sum().expand_as(b)
def grown(p):
    p.grad.mul_(0.5)
def looks(g):
    log(g.sum().item())
    return g.clamp(-0.1, 0.1)
def stops(g):
    raise ValueError('in a hook')
inner = torch.optim.SGD(list(model.parameters())[:1], lr=0.05, momentum=0.5)
def steps(p):
    inner.step()
    inner.zero_grad()"""
OPAQUE = [
    "out = Straight.apply(out)", "out = Straight.apply(out, 2.0) + Straight.apply(0.5 * out)",
    "out, same = Pair.apply(out, params[-1])\nlog(same)\ndel same",
    "out = out + 0.1 * Pair.apply(out, params[0])[0]",
    "out.retain_grad()", "out.register_hook(looks)", "out.register_hook(lambda g: g * 0.9)",
    "out.register_hook(lambda g: log(g.shape, g.requires_grad))", "out = Straight.apply(out.exp())",
    "more = Straight.apply(params[-1]).sum()\nout = out + more", "hidden = out\nout = out.tanh()",
    "out = F.dropout(Straight.apply(out), 0.2)", "hidden = out.clone()\nhidden.retain_grad()",
]  # fmt: skip
OPAQUE_LATER = ["log(out.grad)", "keep(out.grad)", "log(params[0].grad)", "log(out.retains_grad)"]
OPAQUE_CHANGES = [
    "handles.append(params[0].register_hook(looks))", "params[-1].register_hook(lambda g: g * 2)",
    "handles.append(params[-1].register_post_accumulate_grad_hook(grown))",
    "handles.append(params[0].register_post_accumulate_grad_hook(steps))",
    "handles.append(model.register_full_backward_hook(lambda m, gi, go: log(go[0].sum())))",
    "handles.append(params[-1].register_hook(stops))", "for h in handles: h.remove()",
    "handles.append(model.register_full_backward_pre_hook(lambda m, go: (go[0] * 0.5,)))",
    "handles.pop().remove()", "out.register_hook(stops)",
]  # fmt: skip
CONDITIONS = ["", "", "", "i % 2", "i % 3 == 2", "i % 4 == 0", "i >= 8", "i < 8 or i % 2"]


def _when(random: Random) -> str:
    return random.choice(CONDITIONS)


def _model(random: Random) -> str:
    """A model's definition."""
    kind = random.randrange(10)
    act = random.choice(ACTIVATIONS)
    if kind == 0:
        return RECURRENT.format(cell=random.choice(["LSTM", "GRU", "RNN"]))
    if kind < 3:
        return TIED if kind == 1 else ATTENTION
    if kind == 3:
        return PLAIN.format(act=random.choice(["tanh", "relu", "sigmoid"]))
    return f"model = torch.nn.Sequential(torch.nn.{random.choice(SEQUENCES).format(Act=act)})"


def _some(random: Random, lines: list[str], chances: tuple[float, ...]) -> list[Line]:
    """One line, then another ..., each with a chance; each under a condition of its own."""
    found = []
    for chance in chances:
        if random.random() > chance:
            break
        found.append(Line(random.choice(lines), _when(random)))
    return found


def training(random: Random, opaque: bool = False) -> Loop:
    """A random training loop; `opaque` with custom functions and hooks."""
    optimizer = random.choice(OPTIMIZERS).format(p="params")
    setup = [_model(random), *SETUP, "params = list(model.parameters())"]
    body = [Line(random.choice(DATA)), *_some(random, PREPARE, (0.3, 0.3))]
    steps = [Line("opt.step()", random.choice(["", "", "", "i % 2", "i % 4 == 3"]))]
    if random.random() < 0.15 and "AdamW" not in optimizer:
        setup.append("opt = torch.optim." + optimizer.replace("params", "params[:-1]"))
        setup.append("opt2 = torch.optim.SGD(params[-1:], lr=0.05)")
        steps.append(Line("opt2.step()", _when(random)))
    else:
        setup.append("opt = torch.optim." + optimizer)
    if random.random() < 0.2:
        setup.append("schedule = torch.optim.lr_scheduler.StepLR(opt, 3, 0.7)")
        steps.append(Line("schedule.step()"))
    zero = random.choice(["opt.zero_grad()"] * 4 + ["opt.zero_grad(set_to_none=False)"])
    body.append(Line(zero, steps[0].when and random.choice(["", steps[0].when])))
    call = "out = model(x)"
    if random.random() < 0.05:
        flag = random.choice(["True", "i % 2 == 0", "i >= 8"])
        call = f"with torch.autocast('cpu', torch.bfloat16, enabled={flag}): {call}"
        call += "\nout = out.float()"
    body += [Line(call), *_some(random, MIDDLE, (0.4, 0.4))]
    body += [Line(random.choice(LOSSES)), *_some(random, LOSS_MORE, (0.2, 0.2))]
    body += [Line(random.choice(BACKWARD)), *_some(random, BEFORE_STEP, (0.25,)), *steps]
    for line in _some(random, READS, (0.9, 0.7, 0.5, 0.3)):
        body.insert(random.randrange(len(body) // 2, len(body) + 1), line)
    for line in _some(random, NOW_AND_THEN, (0.4, 0.4)):
        body.insert(random.randrange(len(body) + 1), line)
    for line in _some(random, CHANGES, (0.7, 0.5, 0.4)):
        text = line.text.format(opt=optimizer)
        place = random.randrange(len(body) + 1)
        body.insert(place, Line(text, f"i == {random.randrange(3, 12)}"))
    if opaque:
        setup.append(FUNCTIONS)
        _add_opaque(random, body, body.index(Line(call)) + 1)
    half = "autocast" in call
    return Loop(tuple(setup), tuple(body), tolerance=8e-2 if half else 3e-4)


def _add_opaque(random: Random, body: list[Line], middle: int) -> None:
    later = _some(random, OPAQUE_LATER, (0.5, 0.3))
    for line in later:
        body.insert(random.randrange(middle, len(body) + 1), line)
    for line in _some(random, OPAQUE, (1.0, 0.6, 0.4)):
        body.insert(middle, line)
    for line in _some(random, OPAQUE_CHANGES, (0.8, 0.6, 0.4)):
        place = random.randrange(len(body) + 1)
        body.insert(place, Line(line.text, f"i == {random.randrange(2, 12)}"))
