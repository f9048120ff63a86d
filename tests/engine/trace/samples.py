"""A small call or two of every public op, for the audit.

Each line names ops, then gives their arguments: several calls are parted by `;;`. The names that
arguments use are those of `operands`, made anew for each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flambeau as torch

CALLS = """
zeros ones empty | 2, 3
full | (2, 3), 1.5
zeros_like ones_like empty_like | x ;; x.t()
full_like | x, 2.0 ;; x.t(), 2.0
eye | 3, 4
to | x, torch.float64 ;; x.t(), torch.float16
view reshape | x, 4, 3
view_as reshape_as | x, torch.zeros(4, 3)
ravel contiguous clone positive resolve_conj resolve_neg | x ;; x.t()
permute | cube, (2, 0, 1)
transpose swapaxes | x, 0, 1
movedim | cube, 0, 2
t t_copy | x
adjoint | cube ;; z
unsqueeze unsqueeze_copy | x, 1
squeeze squeeze_copy | x.unsqueeze(0)
expand expand_copy | v, 3, 4
expand_as | v, x
broadcast_to | v, (3, 4)
broadcast_tensors | v, x
broadcast_shapes | (3, 1), (1, 4)
flatten | cube, 1
unflatten | x, 1, (2, 2)
atleast_1d atleast_2d atleast_3d | v ;; v, x
select select_copy | x, 1, 2
narrow narrow_copy | x, 1, 1, 2
unbind unbind_copy | x, 1
split split_copy | x, 2
split_with_sizes split_with_sizes_copy unsafe_split_with_sizes | x, (1, 2)
chunk unsafe_chunk unsafe_split | x, 2
tensor_split | x, 2 ;; x, torch.tensor([1, 2])
hsplit | x, 2
vsplit | x, 3
dsplit | cube, 2
as_strided as_strided_copy | x, (2, 2), (1, 2)
unfold unfold_copy | x, 1, 2, 1
diagonal diagonal_copy | x
diag_embed diagflat | v
diag | v ;; x
view_as_real view_as_real_copy real imag | z
view_as_complex view_as_complex_copy | x.reshape(3, 2, 2)
alias_copy detach_copy | x
permute_copy | x, (1, 0)
slice_copy | x, 1, 0, 2
transpose_copy | x, 0, 1
view_copy | x, (4, 3)
select_scatter | x, x[0], 0, 1
slice_scatter | x, x[:2], 0, 1, 3
diagonal_scatter | x, torch.zeros(3)
as_strided_scatter | x, torch.zeros(2, 2), (2, 2), (1, 2)
is_nonzero | torch.ones(1)
is_same_size | x, y
fill | x, 2.0 ;; x, torch.tensor(2.0)
exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh sigmoid erf erfc relu square neg abs | x ;; n
sign signbit frac deg2rad rad2deg sinc nan_to_num isnan isinf isfinite isposinf isneginf | x
sgn isreal angle conj_physical | x ;; z
log log1p log2 log10 sqrt rsqrt reciprocal lgamma digamma logit | p
asin acos atanh erfinv | p
acosh | p + 1
ceil floor trunc i0 special.i0e special.i1 special.i1e special.erfcx | x
round | x ;; x, decimals=1
frexp | x
special.entr special.ndtr special.log_ndtr special.ndtri | p
special.bessel_j0 special.bessel_j1 special.airy_ai special.spherical_bessel_j0 | x
special.bessel_y0 special.bessel_y1 special.modified_bessel_k0 special.modified_bessel_k1 | p
special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1 | p
special.modified_bessel_i0 special.modified_bessel_i1 | x
igamma igammac | p, p + 1
special.zeta | p + 1, p
special.chebyshev_polynomial_t special.chebyshev_polynomial_u | x, torch.arange(4.0)
special.chebyshev_polynomial_v special.chebyshev_polynomial_w | x, torch.arange(4.0)
special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u | p, v
special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w | p, v
special.hermite_polynomial_h special.hermite_polynomial_he | x, torch.arange(4.0)
special.laguerre_polynomial_l special.legendre_polynomial_p | x, torch.arange(4.0)
special.xlog1py xlogy | x, p
polygamma | 1, p
mvlgamma | p + 1, 2
maximum minimum fmax fmin atan2 hypot nextafter copysign heaviside | x, y
logaddexp logaddexp2 | x, y
add sub rsub mul true_divide | x, y ;; x, 2 ;; x, v
div | x, y ;; n, m, rounding_mode="floor" ;; n, m, rounding_mode="trunc" ;; x, 2.0
fmod remainder floor_divide | x, p ;; n, m ;; n, 2
pow float_power | p, y ;; p, 2 ;; p, 0.5
gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift | n, m
bitwise_not | n
eq ne lt le gt ge | x, y ;; x, 0
logical_and logical_or logical_xor | b, mask
logical_not | b
ldexp | x, n
clamp | x, -0.5, 0.5 ;; x, y, y + 1
clamp_min clamp_max | x, 0.3 ;; x, y
lerp | x, y, 0.3 ;; x, y, p
addcmul addcdiv | x, y, p ;; x, y, p, value=2
isclose allclose | x, x + 1e-9 ;; x, y
equal | x, y ;; x, x.clone()
matmul | x, y.t() ;; cube, cube.mT
mm | x, y.t()
bmm | cube, cube.mT
mv | x, v
dot vdot | v, u
outer inner | v, u
addmm | s, x, y.t()
addmv | torch.zeros(3), x, v
baddbmm | torch.zeros(2, 3, 3), cube, cube.mT
addr | torch.zeros(4, 4), v, u
addbmm | s, cube, cube.mT
tensordot | x, y, ([0, 1], [0, 1])
kron | x, s
chain_matmul | x, y.t(), s
cat concat hstack vstack dstack stack | (x, y)
column_stack | (v, u)
meshgrid cartesian_prod | v, u
combinations | v, 2
block_diag | x, s
where | b, x, y ;; b, 1.0, 0.0 ;; b
masked_fill | x, b, 0.5 ;; x, b, torch.tensor(0.5)
masked_select | x, b
masked_scatter | x, b, y
nonzero argwhere | b
nonzero_static | b, size=3
unravel_index | i, (3, 4)
arange range | 0, 5, 2
linspace logspace | 0, 1, 5 ;; torch.tensor(0.0), 1, 5
unique unique_consecutive | i
searchsorted | v.sort()[0], x ;; v.sort()[0], 0.5 ;; v, x, sorter=v.argsort()
bucketize | x, v.sort()[0] ;; 0.5, v.sort()[0]
isin | i, torch.tensor([1, 2])
bincount | i.ravel()
histc | x ;; x, 5, -1, 1
histogram | v, 4 ;; v, 4, range=(-1, 1)
histogramdd | x, (2, 2, 2, 2) ;; x, (2, 2, 2, 2), range=8 * (1.0,)
diff | x
trapezoid cumulative_trapezoid | x ;; x, v
gradient | x
einsum | "ij,kj->ik", x, y
empty_strided | (2, 3), (1, 2)
empty_permuted | (2, 3), (1, 0)
scalar_tensor | 1.5
complex polar | x, y
gather | x, 1, i
take_along_dim | x, i, 1
scatter | x, 1, i, y ;; x, 1, i, value=2.0
scatter_add | x, 1, i, y
scatter_reduce | x, 1, i, y, "amax" ;; x, 1, i, y, "mean"
index_put | x, (ij,), y[:2] ;; x, (b,), torch.tensor(1.0)
take | x, i
put | x, ij, torch.zeros(2)
index_select | x, 0, ij
index_add index_copy | x, 0, ij, y[:2]
index_fill | x, 0, ij, 2.0
index_reduce | x, 0, ij, y[:2], "amax"
linalg.cholesky linalg.cholesky_ex cholesky | spd
linalg.qr linalg.svd linalg.svdvals svd qr geqrf | x
linalg.eigh linalg.eigvalsh | spd
linalg.eig linalg.eigvals | s
linalg.solve linalg.solve_ex | s, x
linalg.solve_triangular | s, x, upper=True
linalg.inv linalg.inv_ex linalg.det linalg.slogdet linalg.matrix_exp | s
det inverse slogdet matrix_exp logdet | spd
linalg.matrix_power matrix_power | s, 3 ;; s, 0 ;; s, -1
linalg.multi_dot | (x, y.t(), s)
linalg.lu_factor linalg.lu_factor_ex linalg.lu lu | s
lu | s, get_infos=True
linalg.lu_solve | *torch.linalg.lu_factor(s), x
lu_unpack | *torch.linalg.lu_factor(s)
lu_solve | x, *torch.linalg.lu_factor(s)
linalg.vector_norm linalg.norm norm | x ;; v, 3
linalg.matrix_norm | x ;; x, 2
linalg.cond | s ;; s, "fro"
linalg.matrix_rank | x ;; x, atol=torch.tensor(0.1)
linalg.pinv pinverse | x
linalg.lstsq | y.t(), torch.ones(4, 2)
linalg.vecdot | x, y
linalg.vander vander | v
linalg.diagonal | x
linalg.tensorinv | torch.eye(4).reshape(4, 2, 2), 1
linalg.tensorsolve | torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2)
linalg.householder_product orgqr | torch.ones(3, 2), torch.ones(2)
ormqr | torch.ones(3, 2), torch.ones(2), torch.ones(3, 2)
cholesky_solve | x, spd
cholesky_inverse | spd
triangular_solve | x, s
trace | s
dist | x, y
renorm | x, 2, 0, 0.5
linalg.cross cross | x.t(), y.t()
cdist | x, y
cov | x ;; x, fweights=torch.tensor([1, 2, 1, 1])
corrcoef frobenius_norm nuclear_norm | x
norm_except_dim | x
rand randn | 2, 3
rand_like randn_like | x ;; x.t()
randint | 5, (2, 3)
randint_like | x, 5
randperm | 5
normal | 0.0, 1.0, (2,) ;; x.detach(), p.detach()
sum mean nansum nanmean prod amax amin aminmax argmax argmin max min any all | x ;; x, dim=1
count_nonzero std var std_mean var_mean | x ;; x, dim=1
hash_tensor | n
logsumexp cumsum cumprod logcumsumexp cummax cummin softmax log_softmax | x, 1
svd_lowrank | x, 2
pca_lowrank | x, 2
dropout feature_dropout alpha_dropout feature_alpha_dropout | x, 0.5, True
dropout_ feature_dropout_ alpha_dropout_ feature_alpha_dropout_ | x.clone(), 0.5, True
rrelu | x, training=True
rrelu_ | x.clone(), training=True
tril triu | x ;; x, 1
tril_indices triu_indices | 3, 3
flip | x, (0,)
fliplr flipud | x
roll | x, 1
rot90 | x
repeat tile | x, 2, 2
repeat_interleave | x, 2 ;; x, torch.tensor([1, 2, 1]), 0 ;; torch.tensor([1, 2])
uniform_ normal_ random_ exponential_ log_normal_ cauchy_ bernoulli_ | x.detach()
geometric_ | x.detach(), 0.3
bernoulli poisson _standard_gamma _sample_dirichlet | p.detach()
binomial | torch.full((3, 4), 5.0), p.detach()
multinomial | p.detach(), 2
_standard_gamma_grad | p.detach(), p.detach()
lstm | seq, (h, h), weights(4), True, 1, 0.0, False, False, True
gru | seq, h, weights(3), True, 1, 0.0, False, False, True
rnn_tanh rnn_relu | seq, h, weights(1), True, 1, 0.0, False, False, True
lstm_cell | x, (y, y), *cell(4)
gru_cell | x, y, *cell(3)
rnn_tanh_cell rnn_relu_cell | x, y, *cell(1)
sort argsort msort median nanmedian | x
median nanmedian | x, 1
topk kthvalue | x, 2
mode | i
quantile nanquantile | x, 0.3 ;; x, torch.tensor([0.2, 0.6])
fft.fft fft.ifft fft.hfft fft.fft2 fft.ifft2 fft.hfft2 fft.fftn fft.ifftn fft.hfftn | z
fft.rfft fft.ihfft fft.rfft2 fft.ihfft2 fft.rfftn fft.ihfftn fft.fftshift fft.ifftshift | x
fft.irfft fft.irfft2 fft.irfftn | z
fft.fftfreq fft.rfftfreq | 5
stft | torch.rand(20), 4, return_complex=True
istft | torch.rand(20).stft(4, return_complex=True), 4
signal.windows.bartlett signal.windows.blackman signal.windows.hamming signal.windows.hann | 5
signal.windows.nuttall signal.windows.cosine signal.windows.kaiser | 5
signal.windows.general_cosine | 5, a=(0.4, 0.6)
signal.windows.general_hamming | 5, alpha=0.5
signal.windows.gaussian signal.windows.exponential | 5
bartlett_window blackman_window hann_window hamming_window kaiser_window | 5
"""

# ops of nn.functional, without their prefix
LAYERS = """
relu relu6 hardtanh elu selu celu leaky_relu gelu silu mish softplus logsigmoid sigmoid tanh | x
hardsigmoid hardswish hardshrink softshrink tanhshrink softsign | x
threshold | x, 0.1, 2.0
glu | x, 1
prelu | x, v
softmax softmin log_softmax | x, 1
gumbel_softmax | x ;; x, hard=True
dropout alpha_dropout feature_alpha_dropout rrelu | x, training=True
dropout1d | seq, 0.5, True
dropout2d | img, 0.5, True
dropout3d | vol, 0.5, True
linear | x, y ;; x, y, torch.zeros(3)
bilinear | x, y, torch.ones(2, 4, 4)
cross_entropy | x, ic ;; x, p ;; x, ic, torch.ones(4), label_smoothing=0.1
nll_loss | x, ic ;; x, ic, torch.ones(4)
linear_cross_entropy | x, torch.ones(5, 4), ic
binary_cross_entropy | p, b.float()
binary_cross_entropy_with_logits | x, b.float()
soft_margin_loss | v, torch.ones(4)
multilabel_soft_margin_loss | x, b.float()
multi_margin_loss | x, ic
multilabel_margin_loss | x, i
ctc_loss | seq.log_softmax(2), torch.ones(3, 2, dtype=torch.int64), (2, 2, 2), (1, 1, 1)
mse_loss l1_loss smooth_l1_loss huber_loss poisson_nll_loss kl_div | x, y
gaussian_nll_loss | x, y, p ;; x, y, 0.5
hinge_embedding_loss | v, torch.ones(4)
margin_ranking_loss | v, u, torch.ones(4)
cosine_embedding_loss | x, y, torch.tensor([1, -1, 1])
triplet_margin_loss triplet_margin_with_distance_loss | x, y, p
pairwise_distance cosine_similarity | x, y
normalize pdist | x
batch_norm | x, m4(), m4() + 1, training=True ;; x, m4(), m4() + 1
instance_norm | seq, torch.zeros(3), torch.ones(3), use_input_stats=True ;; seq
layer_norm rms_norm | x, (4,), v
group_norm | img, 3
local_response_norm | img, 2
conv1d | seq, torch.ones(2, 3, 2)
conv2d | img, torch.ones(2, 3, 2, 2), torch.zeros(2), padding=1
conv3d | vol, torch.ones(2, 2, 2, 2, 2)
conv_transpose1d | seq, torch.ones(3, 2, 2)
conv_transpose2d | img, torch.ones(3, 2, 2, 2)
conv_transpose3d | vol, torch.ones(2, 2, 2, 2, 2)
conv_tbc | seq, torch.ones(2, 4, 2), torch.zeros(2)
max_pool1d avg_pool1d | seq, 2 ;; seq, 2, padding=1
max_pool2d avg_pool2d | img, 2 ;; img, 2, padding=1
max_pool3d avg_pool3d | vol, 2
avg_pool2d | img, 2, padding=1, count_include_pad=False
lp_pool1d | seq, 2, 2
lp_pool2d | img, 2, 2
lp_pool3d | vol, 2, 2
max_unpool1d | *F.max_pool1d(seq, 2, return_indices=True), 2
max_unpool2d | *F.max_pool2d(img, 2, return_indices=True), 2
max_unpool3d | *F.max_pool3d(vol, 2, return_indices=True), 2
adaptive_avg_pool1d adaptive_max_pool1d | seq, 3
adaptive_avg_pool2d adaptive_max_pool2d | img, 3
adaptive_avg_pool3d adaptive_max_pool3d | vol, 3
fractional_max_pool2d | img, 2, 3
fractional_max_pool3d | vol, 2, 3
interpolate upsample | img, scale_factor=2 ;; img, scale_factor=2, mode="bilinear"
interpolate | img, size=(4, 4), mode="bicubic", antialias=True ;; img, (4, 4), mode="area"
upsample_nearest upsample_bilinear | img, scale_factor=2
grid_sample | img, torch.zeros(2, 3, 3, 2), align_corners=False
affine_grid | torch.ones(2, 2, 3), (2, 3, 4, 4), align_corners=False
pixel_shuffle | torch.rand(1, 4, 2, 2), 2
pixel_unshuffle | img, 2
channel_shuffle | torch.rand(1, 4, 2, 2), 2
one_hot | i, 4 ;; i
embedding | i, x ;; i, x.detach(), max_norm=0.5
embedding_bag | i, x ;; i.ravel(), x, torch.tensor([0, 2]) ;; i, x, padding_idx=1
embedding_bag | i, x, mode="max"
pad | x, (1, 1) ;; seq, (1, 1), mode="reflect" ;; seq, (1, 1), mode="replicate"
unfold | img, 2
fold | torch.ones(1, 12, 4), (3, 3), 2
scaled_dot_product_attention | cube, cube, cube ;; cube, cube, cube, is_causal=True
scaled_dot_product_attention | cube, cube, cube, torch.ones(3, 3).bool(), 0.5
multi_head_attention_forward | cube, cube, cube, 4, 2, *heads(), True ;; x, x, x, 4, 2, *heads()
"""

# nn.functional's ops as they are at the top level
TOP = """
batch_norm | x, v, v, m4(), m4() + 1, True, 0.1, 1e-5, False
instance_norm | seq, None, None, torch.zeros(3), torch.ones(3), True, 0.1, 1e-5, False
layer_norm | x, (4,), v, v
group_norm | img, 3
native_layer_norm | x, (4,), v, v, 1e-5
native_group_norm | img, None, None, 2, 3, 36, 3, 1e-5
native_batch_norm | x, v, v, m4(), m4() + 1, True, 0.1, 1e-5
embedding | x, i
convolution | img, torch.ones(2, 3, 2, 2), None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1
grid_sampler grid_sampler_2d | img, torch.zeros(2, 3, 3, 2), 0, 0, False
grid_sampler_3d | vol, torch.zeros(1, 2, 2, 2, 3), 0, 0, False
affine_grid_generator | torch.ones(2, 2, 3), (2, 3, 4, 4), False
constant_pad_nd | x, (1, 1)
"""


def operands(seed: int) -> dict[str, Any]:
    """What the calls' arguments are made of: numbers that depend on the seed alone."""
    torch.manual_seed(seed)

    def real(*shape: int) -> Any:
        return torch.randn(*shape).requires_grad_()

    def weights(gates: int) -> tuple[Any, ...]:
        return (real(gates * 4, 4), real(gates * 4, 4), real(gates * 4), real(gates * 4))

    def heads() -> tuple[Any, ...]:
        return (real(12, 4), real(12), None, None, False, 0.0, real(4, 4), real(4))

    square = torch.randn(3, 3)
    integers = torch.randint(1, 5, (2, 3, 4))
    return {
        "torch": torch, "F": torch.nn.functional, "weights": weights, "cell": weights,
        "heads": heads, "m4": lambda: torch.zeros(4), "x": real(3, 4), "y": real(3, 4),
        "p": (torch.rand(3, 4) * 0.8 + 0.1).requires_grad_(), "v": real(4), "u": real(4),
        "s": (square + 4 * torch.eye(3)).requires_grad_(),
        "spd": (square @ square.mT + torch.eye(3)).requires_grad_(),
        "z": torch.complex(torch.randn(3, 4), torch.randn(3, 4)).requires_grad_(),
        "n": integers[0], "m": integers[1], "b": torch.randn(3, 4) > 0,
        "mask": torch.randn(3, 4) > 0, "i": torch.randint(0, 3, (3, 4)),
        "ij": torch.tensor([0, 2]), "ic": torch.tensor([0, 3, 1]), "cube": real(2, 3, 4),
        "seq": real(2, 3, 4), "h": real(1, 2, 4), "img": real(2, 3, 6, 6),
        "vol": real(1, 2, 4, 4, 4),
    }  # fmt: skip


def samples() -> Iterator[tuple[str, str]]:
    """(op, source of its arguments) for every call."""
    for table, prefix in ((CALLS, ""), (LAYERS, "nn.functional."), (TOP, "")):
        for line in table.strip().splitlines():
            names, calls = line.split(" | ")
            for name in names.split():
                for call in calls.split(" ;; "):
                    yield prefix + name, call


def arguments(source: str, seed: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a line's text stands for."""
    return eval(f"(lambda *args, **kwargs: (args, kwargs))({source})", operands(seed))
