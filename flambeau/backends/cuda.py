"""Switches of GPU libraries: accepted, without effect."""

from __future__ import annotations

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)
_attention = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """False: flambeau has no CUDA backend."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether flash attention may be used on a GPU."""
    return _attention["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Say whether flash attention may be used on a GPU."""
    _attention["flash"] = enabled


def mem_efficient_sdp_enabled() -> bool:
    """Whether memory-efficient attention may be used on a GPU."""
    return _attention["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Say whether memory-efficient attention may be used on a GPU."""
    _attention["mem_efficient"] = enabled


def math_sdp_enabled() -> bool:
    """Whether plain attention may be used on a GPU."""
    return _attention["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Say whether plain attention may be used on a GPU."""
    _attention["math"] = enabled


def cudnn_sdp_enabled() -> bool:
    """Whether cuDNN's attention may be used on a GPU."""
    return _attention["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Say whether cuDNN's attention may be used on a GPU."""
    _attention["cudnn"] = enabled
