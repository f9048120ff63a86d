"""Devices: where a tensor's data lives."""

from __future__ import annotations

from . import state

_KNOWN = ("cpu", "cuda", "meta", "mps", "xpu", "xla", "ipu", "hpu", "mtia", "privateuseone")


class device:
    """A device: a type ("cpu", "cuda", "meta") and, for some, an index.

    >>> device("cuda:0")
    device(type='cuda', index=0)
    """

    __slots__ = ("_stack", "index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | int | device | None = None, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index  # type: ignore[assignment]
        if isinstance(type, int) and not isinstance(type, bool):
            index, type = type, "cuda"
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {_name_of(type)}")
        if ":" in type:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed "
                    f"explicitly: {type}"
                )
            type, _, number = type.partition(":")
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}:{number}'")
            index = int(number)
        if type not in _KNOWN:
            raise RuntimeError(
                f"Expected one of {', '.join(_KNOWN)} device type at start of device string: {type}"
            )
        self.type = type
        self.index = index
        self._stack: list = []

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, device):
            return self.type == other.type and self.index == other.index
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple:
        return (device, (self.type,) if self.index is None else (self.type, self.index))

    def __enter__(self) -> device:
        self._stack.append(set_default_device(self))
        return self

    def __exit__(self, *exc: object) -> None:
        set_default_device(self._stack.pop())


def _name_of(value: object) -> str:
    return type(value).__name__


CPU = device("cpu")
META = device("meta")
_default = CPU


def get_default_device() -> device:
    """The device on which factory functions put new tensors."""
    return _default


def set_default_device(new: device | str | None) -> device:
    """Set where factory functions put new tensors; returns what it was before."""
    global _default
    before = _default
    now = CPU if new is None else resolve(new)
    if now != before:
        state.redefine()
    _default = now
    return before


def resolve(where: device | str | int | None) -> device:
    """A usable device from what a user passed; None means the default device.

    Raises:
        RuntimeError: the device is known but this machine or build has none.
    """
    if where is None:
        return _default
    found = where if isinstance(where, device) else device(where)
    if found.type == "cpu":
        return CPU
    if found.type == "meta":
        return META
    if found.type == "cuda":
        raise RuntimeError(
            "Found no NVIDIA driver on your system. flambeau runs on the CPU here: check "
            "torch.cuda.is_available() first, or use device='cpu'."
        )
    raise RuntimeError(f"flambeau has no backend for device '{found}'; use 'cpu' or 'meta'")
