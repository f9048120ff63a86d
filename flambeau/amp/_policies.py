"""What autocast does to each public op on the CPU: PyTorch's lists, found by running its ops.

LOWER: floating inputs are cast to the autocast dtype. FULL: to float32. WIDEST: to the widest
floating dtype among the inputs. GIVEN: nothing is cast, in the op and inside it. Ops that are not
named run in whatever dtypes they are given, and the ops inside them are looked at one by one.
"""

from __future__ import annotations

_LOWER = """
    addbmm addmm baddbmm bmm chain_matmul einsum matmul mm tensordot
    linalg.multi_dot linalg.vecdot
    nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d nn.functional.conv_tbc
    nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d
    nn.functional.linear nn.functional.prelu nn.functional.scaled_dot_product_attention
"""
_FULL = """
    cdist cholesky cholesky_inverse cholesky_solve geqrf inverse lu lu_solve nanquantile
    orgqr ormqr pinverse polar prod qr quantile stft svd trace triangular_solve view_as_complex
    fft.fft fft.fft2 fft.fftn fft.hfft fft.hfft2 fft.hfftn fft.ifft fft.ifft2 fft.ifftn fft.ihfft
    fft.ihfft2 fft.ihfftn fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn
    linalg.cholesky linalg.cholesky_ex linalg.cond linalg.eig linalg.eigh linalg.eigvals
    linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.lstsq
    linalg.matrix_rank linalg.qr linalg.solve linalg.svd linalg.svdvals linalg.tensorinv
    linalg.tensorsolve
    nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool3d
    nn.functional.avg_pool3d nn.functional.binary_cross_entropy
    nn.functional.binary_cross_entropy_with_logits nn.functional.cosine_embedding_loss
    nn.functional.cross_entropy nn.functional.ctc_loss nn.functional.fractional_max_pool2d
    nn.functional.fractional_max_pool3d nn.functional.grid_sample
    nn.functional.hinge_embedding_loss nn.functional.huber_loss nn.functional.kl_div
    nn.functional.l1_loss nn.functional.margin_ranking_loss nn.functional.max_pool3d
    nn.functional.max_unpool1d nn.functional.max_unpool2d nn.functional.max_unpool3d
    nn.functional.mse_loss nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
    nn.functional.nll_loss nn.functional.poisson_nll_loss nn.functional.smooth_l1_loss
    nn.functional.soft_margin_loss nn.functional.triplet_margin_loss
"""
_WIDEST = "cat concat stack index_copy"
# composed of matrix products here, and kernels of their own in PyTorch
_GIVEN = "addmv dot vdot linalg.lu_solve linalg.matrix_exp matrix_exp mv"

LOWER, FULL, WIDEST, GIVEN = "lower", "full", "widest", "given"

POLICIES: dict[str, str] = {
    name: policy
    for policy, names in ((LOWER, _LOWER), (FULL, _FULL), (WIDEST, _WIDEST), (GIVEN, _GIVEN))
    for name in names.split()
}
