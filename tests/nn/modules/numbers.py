"""Scenarios of what layers compute: outputs and gradients of known parameters and inputs."""

from __future__ import annotations

from tests.nn.modules.scenarios import outcome, scenario

# A constructor call, then the shapes of the inputs (an i before a shape: class numbers).
CALLS = """
nn.Linear(3, 2) | 4,3
nn.Bilinear(3, 2, 4) | 5,3 | 5,2
nn.Conv1d(2, 4, 3, stride=2, padding=1) | 2,2,7
nn.Conv2d(2, 4, 3, padding=1, groups=2, padding_mode="circular") | 1,2,4,5
nn.Conv2d(2, 3, (1, 3), padding="same", dilation=2) | 2,4,5
nn.Conv3d(1, 2, 2) | 1,1,3,3,3
nn.ConvTranspose1d(2, 3, 3, 2, 1, 1) | 1,2,4
nn.ConvTranspose2d(2, 4, 3, groups=2) | 1,2,3,3
nn.BatchNorm1d(3) | 5,3
nn.BatchNorm2d(2, momentum=None) | 2,2,3,3
nn.BatchNorm1d(3).eval() | 5,3
nn.InstanceNorm1d(2, affine=True) | 2,2,5
nn.InstanceNorm2d(2, track_running_stats=True) | 2,3,3
nn.LayerNorm((2, 3)) | 4,2,3
nn.GroupNorm(2, 4) | 2,4,3
nn.RMSNorm(4) | 2,4
nn.LocalResponseNorm(2) | 1,4,3
nn.MaxPool1d(2) | 2,5
nn.MaxPool2d(3, 2, 1, ceil_mode=True) | 1,1,5,6
nn.AvgPool1d(2) | 1,2,5
nn.AvgPool2d(3, 2, 1, count_include_pad=False) | 1,1,5,6
nn.AdaptiveAvgPool2d((2, None)) | 1,2,5,3
nn.AdaptiveMaxPool1d(2) | 1,2,5
nn.LPPool1d(2, 2) | 1,2,6
nn.ReflectionPad2d(1) | 1,1,3,3
nn.ReplicationPad1d((2, 1)) | 1,2,3
nn.CircularPad1d(1) | 1,2,3
nn.ConstantPad1d(1, 2.5) | 1,2,3
nn.ZeroPad2d((1, 2, 0, 1)) | 1,2,3
nn.Embedding(5, 3, padding_idx=1) | i4,5
nn.EmbeddingBag(5, 3, mode="sum") | i4,5
nn.PReLU(2) | 3,2
nn.Softmax(1) | 2,3
nn.GLU() | 2,4
nn.GELU("tanh") | 5
nn.Softplus(2, 1) | 5
nn.CosineSimilarity() | 2,3 | 2,3
nn.PairwiseDistance(keepdim=True) | 2,3 | 2,3
nn.Flatten() | 2,3,2
nn.Unflatten(1, (2, -1)) | 2,6
nn.Fold((3, 3), 2) | 1,4,4
nn.Unfold(2) | 1,1,3,3
nn.Upsample(scale_factor=2, mode="bilinear") | 1,1,2,3
nn.PixelShuffle(2) | 1,4,2,2
nn.PixelUnshuffle(2) | 1,1,4,2
nn.ChannelShuffle(2) | 1,4,2
nn.AdaptiveLogSoftmaxWithLoss(4, 10, [2, 5], 2.0) | 6,4 | i6,10
nn.CrossEntropyLoss(label_smoothing=0.1) | 4,3 | i4,3
nn.NLLLoss() | 4,3 | i4,3
nn.LinearCrossEntropyLoss(3, 5) | 4,3 | i4,5
nn.MSELoss() | 4,3 | 4,3
nn.SmoothL1Loss(beta=0.5) | 4,3 | 4,3
nn.HuberLoss("sum") | 4,3 | 4,3
nn.KLDivLoss(reduction="batchmean", log_target=True) | 4,3 | 4,3
nn.BCEWithLogitsLoss() | 4,3 | 4,3
nn.TripletMarginLoss(swap=True) | 4,3 | 4,3 | 4,3
nn.MultiMarginLoss() | 4,3 | i4,3
nn.RNN(3, 2, 2, nonlinearity="relu") | 4,2,3
nn.GRU(3, 2, bidirectional=True) | 4,2,3
nn.GRU(3, 2, batch_first=True) | 4,3
nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True) | 4,2,3
nn.LSTM(3, 2, bias=False, batch_first=True) | 2,4,3
nn.RNNCell(3, 2) | 4,3
nn.LSTMCell(3, 2) | 4,3
nn.GRUCell(3, 2) | 3
nn.MultiheadAttention(4, 2) | 3,2,4 | 5,2,4 | 5,2,4
nn.MultiheadAttention(4, 2, kdim=3, vdim=2, add_bias_kv=True) | 3,2,4 | 5,2,3 | 5,2,2
nn.TransformerEncoderLayer(4, 2, 8, 0.0, "gelu", norm_first=True) | 3,2,4
nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0), 2, nn.LayerNorm(4)) | 3,2,4
nn.TransformerDecoderLayer(4, 2, 8, 0.0, batch_first=True) | 2,3,4 | 2,5,4
nn.Transformer(4, 2, 1, 1, 8, 0.0) | 3,2,4 | 5,2,4
nn.LazyLinear(2) | 4,3
nn.LazyConv2d(2, 3) | 1,2,4,4
nn.LazyBatchNorm1d() | 5,3
""".strip().splitlines()


def inputs(torch, shapes):
    """Waves of different phase; class numbers run through all classes."""
    for place, text in enumerate(shapes, 1):
        *shape, last = [int(size) for size in text.lstrip("i").split(",")]
        if text.startswith("i"):
            yield torch.arange(shape[0]) * 3 % last
        else:
            shape.append(last)
            count = 1
            for size in shape:
                count *= size
            x = torch.cos(torch.arange(float(count)) * 1.7 + place).reshape(shape)
            yield x.requires_grad_(place == 1)


def tensors_of(value):
    if hasattr(value, "detach"):
        return [value] if value.is_floating_point() else []
    return [t for item in value if item is not None for t in tensors_of(item)]


def checksum(torch, tensor):
    """Two weighted sums, which any changed element changes."""
    flat = tensor.detach().double().reshape(-1)
    weights = torch.arange(len(flat), dtype=torch.float64)
    return [list(tensor.shape), float((flat * (weights + 1).cos()).sum()), float(flat.abs().sum())]


def computed(torch, line):
    call, *shapes = [part.strip() for part in line.split("|")]
    if call.startswith("nn.EmbeddingBag"):
        shapes = [shapes[0]]
    module = eval(call, {"nn": torch.nn})
    given = list(inputs(torch, shapes))
    if call.startswith("nn.EmbeddingBag"):
        given = [given[0].reshape(2, 2)]
    if "Lazy" in call:
        module(*given)
    with torch.no_grad():
        for parameter in module.parameters():
            wave = torch.sin(torch.arange(float(parameter.numel())) * 2.3 + 1)
            parameter.copy_(wave.reshape(parameter.shape))
    outputs = tensors_of(module(*given))
    sum((t * t.detach().cos()).sum() for t in outputs).backward()
    gradients = [t.grad for t in (*given, *module.parameters()) if t.grad is not None]
    found = [checksum(torch, t) for t in (*outputs, *gradients, *module.buffers())]
    return [[shape, round(a, 3), round(b, 3)] for shape, a, b in found]


@scenario
def numbers(torch):
    return {line: outcome(lambda line=line: computed(torch, line)) for line in CALLS}
