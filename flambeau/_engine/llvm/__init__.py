"""Kernels as native code: the only rooms that import llvmlite are this one and `runtime`."""
