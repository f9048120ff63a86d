"""`torch.cpu`: the CPU, seen as a device like any other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from types import MappingProxyType
from typing import Any

from flambeau.cpu import amp

# PyTorch's names of what it asks about, and the kernel's.
_CAPABILITIES = {
    "sse": "sse", "sse2": "sse2", "sse3": "pni", "ssse3": "ssse3", "sse4_1": "sse4_1",
    "sse4_2": "sse4_2", "avx": "avx", "avx2": "avx2", "fma3": "fma", "f16c": "f16c",
    "avx512_f": "avx512f", "avx512_vnni": "avx512_vnni", "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16", "amx_tile": "amx_tile", "amx_bf16": "amx_bf16",
    "amx_int8": "amx_int8", "neon": "asimd", "sve": "sve", "bf16": "bf16",
}  # fmt: skip


@cache
def cpu_flags() -> frozenset[str]:
    """What the processor can do, in the Linux kernel's words; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() in ("flags", "Features"):
                    return frozenset(value.split())
    except OSError:
        pass
    return frozenset()


@cache
def get_capabilities() -> MappingProxyType[str, bool]:
    """Which instruction sets the processor has."""
    flags = cpu_flags()
    return MappingProxyType({name: flag in flags for name, flag in _CAPABILITIES.items()})


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """The only device."""
    return "cpu"


def set_device(device: Any) -> None:
    """Nothing: there is one device."""


def synchronize(device: Any = None) -> None:
    """Nothing: work on the CPU is done when it returns."""


class Stream:
    """A queue of work; on the CPU there is one, and it is always empty."""

    def __init__(self, priority: int = -1) -> None:
        pass

    def wait_stream(self, stream: Any) -> None:
        """Nothing: there is nothing to wait for."""

    def record_event(self) -> None:
        """Nothing: all work so far is done."""

    def wait_event(self, event: Any) -> None:
        """Nothing: there is nothing to wait for."""


class Event:
    """A mark in a stream; on the CPU it has always been reached."""

    def query(self) -> bool:
        """True."""
        return True

    def record(self, stream: Any = None) -> None:
        """Nothing: it has been reached already."""

    def synchronize(self) -> None:
        """Nothing: there is nothing to wait for."""

    def wait(self, stream: Any = None) -> None:
        """Nothing: there is nothing to wait for."""


_STREAM = Stream()


def current_stream(device: Any = None) -> Stream:
    """The only stream."""
    return _STREAM


class StreamContext(AbstractContextManager):
    """A region on a stream; changes nothing."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __exit__(self, *exc: object) -> None:
        """Nothing."""


def stream(stream: Any) -> StreamContext:
    """A region on a stream; changes nothing."""
    return StreamContext(stream)
