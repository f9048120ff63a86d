"""Marks for NVIDIA's profiler: they need a GPU."""

from flambeau.cuda._absent import absent

mark, range_end, range_pop, range_push, range_start = (
    absent(f"nvtx.{name}")
    for name in ("mark", "range_end", "range_pop", "range_push", "range_start")
)
