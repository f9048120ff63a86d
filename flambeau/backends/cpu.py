"""What the processor can do."""

from flambeau.cpu import cpu_flags


def get_cpu_capability() -> str:
    """The widest vectors of the processor: "AVX512", "AVX2" or "DEFAULT"."""
    flags = cpu_flags()
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return "AVX512"
    return "AVX2" if {"avx2", "fma"} <= flags else "DEFAULT"
