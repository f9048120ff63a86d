"""The judgements of the harness, in one place: what is set aside, what is compared loosely, why."""

from __future__ import annotations

from pathlib import Path

# op_db entries not considered: by exact name, or by prefix when the key ends in "*".
EXCLUDED_OPS = {
    "jiterator_*": "CUDA only (compiles CUDA C++ from a string)",
    "bmm.triton_optimized": "CUDA only (a Triton kernel)",
    "torch.ops.aten.*": "internal-only (an ATen overload, not a public function)",
    "torch._scaled_mm*": "quantised (float8 matrix product, CUDA)",
    "sparse.*": "sparse",
    "to_sparse": "sparse",
    "_softmax_backward_data": "internal-only",
    "_native_batch_norm_legit": "internal-only",
    "_batch_norm_with_update": "internal-only",
    "_upsample_bilinear2d_aa": "internal-only",
    "_unsafe_masked_index": "internal-only",
    "_unsafe_masked_index_put_accumulate": "internal-only",
    "_chunk_cat": "internal-only",
    "_segment_reduce.*": "internal-only",
    "max_pool2d_with_indices_backward": "internal-only (an ATen backward kernel)",
    "native_dropout_backward": "internal-only (an ATen backward kernel)",
    "slice": "internal-only (torch.ops.aten.slice)",
}

# Results whose values are undefined: only structure, dtype and shape are compared.
UNDEFINED_VALUES = {
    "empty": "uninitialised memory",
    "empty_like": "uninitialised memory",
    "empty_permuted": "uninitialised memory",
    "empty_strided": "uninitialised memory",
    "new_empty": "uninitialised memory",
    "new_empty_strided": "uninitialised memory",
    "resize_": "grown memory is uninitialised",
    "resize_as_": "grown memory is uninitialised",
}

# On Intel CPUs torch draws these from MKL's generator; flambeau follows the portable stream, which
# torch uses on every other CPU. There: structure, dtype and shape only; elsewhere: the values too.
UNPORTABLE_RANDOM = {
    "exponential": "torch's numbers depend on the CPU's vendor (MKL)",
    "nn.functional.dropout": "torch's mask depends on the CPU's vendor (MKL)",
    "nn.functional.dropout2d": "torch's mask depends on the CPU's vendor (MKL)",
    "nn.functional.dropout3d": "torch's mask depends on the CPU's vendor (MKL)",
    "nn.functional.alpha_dropout": "torch's mask depends on the CPU's vendor (MKL)",
    "nn.functional.feature_alpha_dropout.with_train": "torch's mask depends on the CPU's vendor",
    "nn.functional.scaled_dot_product_attention": "dropout in it: mask depends on CPU's vendor",
    "nn.functional.multi_head_attention_forward": "dropout in it: mask depends on CPU's vendor",
}

# Forward results that are only defined up to a sign, a phase or a basis: compared after the
# entry's own `output_process_fn_grad`, which removes the freedom.
GAUGE_FREEDOM = {
    "svd": "sign of each pair of singular vectors",
    "linalg.svd": "sign of each pair of singular vectors",
    "linalg.eig": "phase of each eigenvector",
    "linalg.eigh": "phase of each eigenvector",
    "svd_lowrank": "sign of each pair of singular vectors",
    "pca_lowrank": "sign of each pair of singular vectors",
}

# Which of several equal elements an index names is not defined (unless `stable=True`): such
# indices are compared by the values that they pick. The number is the position of `dim`.
TIES = {"sort": 0, "argsort": 0, "topk": 1, "kthvalue": 1, "mode": 0}

# Tolerances multiplied, because of the condition of the problem and not of the method.
LOOSENED = {
    "linalg.*": (10.0, "condition number of the matrices"),
    "cholesky*": (10.0, "condition number of the matrices"),
    "lu*": (10.0, "condition number of the matrices"),
    "svd*": (10.0, "condition number of the matrices"),
    "pca_lowrank": (10.0, "condition number of the matrices"),
    "pinverse": (10.0, "condition number of the matrices"),
    "logdet": (10.0, "condition number of the matrices"),
    "matrix_exp": (10.0, "condition number of the matrices"),
    "triangular_solve": (10.0, "condition number of the matrices"),
    "corrcoef": (10.0, "division by nearly equal sums"),
    "nn.functional.grid_sample": (10.0, "coordinates are rounded before interpolation"),
    "nn.functional.layer_norm": (30.0, "one element: torch's gradient is rounding x 316, not 0"),
    "native_layer_norm": (30.0, "one element: torch's gradient is rounding x 316, not 0"),
    "logcumsumexp": (100.0, "torch's own float32 gradient is off by 5e-3 (of 5)"),
    "nn.functional.ctc_loss": (5.0, "torch's own float32 gradient is off by 5e-5 (of 1)"),
    "grid_sampler*": (10.0, "coordinates are rounded before interpolation"),
    # results of up to 1000 beside results near 0; against float64, torch's own error is the larger
    "nn.functional.conv_transpose3d": (10.0, "sums of large terms that cancel"),
    "nn.functional.scaled_dot_product_attention": (10.0, "sums of large terms that cancel"),
    "nn.functional.multi_head_attention_forward": (10.0, "sums of large terms that cancel"),
}

LOOSENED_MODULES = {
    "nn.CTCLoss": (5.0, "torch's own float32 gradient is off by 5e-5 (of 1)"),
}

LOOSENED_STATES = {
    "LBFGS": (100.0, "its state: curvature from differences of nearly equal gradients"),
}

EXCLUDED_MODULES: dict[str, str] = {}
EXCLUDED_OPTIMIZERS = {"SparseAdam": "sparse gradients wait for sparse tensors"}

# What `make conformance` demands.
MINIMUM_OPS = 0.60
MINIMUM_MODULES = 100


def look_up(table: dict[str, object], name: str) -> object | None:
    """The table's value for a name: the exact key, else a key ending in "*" that is a prefix."""
    if name in table:
        return table[name]
    for key, value in table.items():
        if key.endswith("*") and name.startswith(key[:-1]):
            return value
    return None


def values_defined(name: str) -> bool:
    """Whether the values of an op's results can be compared on this machine."""
    return name not in UNDEFINED_VALUES and not (name in UNPORTABLE_RANDOM and _on_intel())


def _on_intel() -> bool:
    information = Path("/proc/cpuinfo")
    return information.exists() and "GenuineIntel" in information.read_text()
