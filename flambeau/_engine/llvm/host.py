"""The machine that code is made for: its vectors, registers and caches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import llvmlite.binding as binding
import llvmlite.ir as ir

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True, slots=True)
class Host:
    """A kind of processor. Frozen and hashable: it is part of compiled kernels' keys.

    Attributes:
        name: the processor as LLVM calls it ("znver4", "haswell", "apple-m1").
        features: LLVM's feature string ("+avx2,-avx512f,...").
        vector_bytes: of the widest vector registers worth using: 64, 32 or 16.
        registers: how many vector registers there are: 32 or 16.
        masks: whether masked loads and stores cost what plain ones do (AVX-512).
        fma: whether a multiplication and an addition fuse into one instruction.
        l1, l2: bytes of a core's data caches.
    """

    name: str
    features: str
    vector_bytes: int
    registers: int
    masks: bool
    fma: bool
    l1: int = 32 << 10
    l2: int = 512 << 10

    def lanes(self, itemsize: int) -> int:
        """How many elements of `itemsize` bytes fill a vector register."""
        return self.vector_bytes // itemsize

    def mark(self, function: ir.Function) -> None:
        """Have `function` compiled for this host, whatever the target machine is told."""
        attributes = [f'"target-cpu"="{self.name}"', f'"target-features"="{self.features}"']
        if self.vector_bytes == 64:
            # some processors' tuning halves vectors otherwise
            attributes.append('"prefer-vector-width"="512"')
        for text in attributes:
            # llvmlite's own `add` knows attributes without values only
            set.add(function.attributes, text)


# Hosts to make code for elsewhere or in tests: any x86 processor of the last ten years, and
# plain SSE2.
AVX2 = Host("haswell", "", vector_bytes=32, registers=16, masks=False, fma=True)
SSE2 = Host("x86-64", "", vector_bytes=16, registers=16, masks=False, fma=False)

_AVX512 = ("avx512f", "avx512vl", "avx512dq", "avx512bw")


@cache
def detect() -> Host:
    """The host this process runs on."""
    features = binding.get_host_cpu_features()
    name = binding.get_host_cpu_name()
    text = features.flatten()
    caches = {"l1": _cache_bytes(1, 32 << 10), "l2": _cache_bytes(2, 512 << 10)}
    if binding.get_process_triple().startswith(("aarch64", "arm64")):
        return Host(name, text, 16, 32, masks=False, fma=True, **caches)
    fma = bool(features.get("fma"))
    if fma and all(features.get(feature) for feature in _AVX512):
        return Host(name, text, 64, 32, masks=True, fma=True, **caches)
    wide = fma and bool(features.get("avx2"))
    return Host(name, text, 32 if wide else 16, 16, masks=False, fma=fma, **caches)


def _cache_bytes(level: int, default: int) -> int:
    """The size of the data cache at `level`, from Linux; `default` where that does not say."""
    for index in range(4):
        folder = _CACHES / f"index{index}"
        try:
            if int((folder / "level").read_text()) != level:
                continue
            if (folder / "type").read_text().strip() == "Instruction":
                continue
            text = (folder / "size").read_text().strip()
            return int(text.removesuffix("K")) << 10
        except (OSError, ValueError):
            continue
    return default
