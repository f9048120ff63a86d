"""Batches of sequences of different lengths: padded, and packed.

Packed means sorted by length, with all first steps of all sequences first, then all second steps,
and so on; ``batch_sizes[t]`` says how many sequences have a step ``t``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import dtypes
from flambeau._ops.creation import as_tensor, empty_like, full, tensor
from flambeau._ops.joining import cat
from flambeau._ops.ranges import arange

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes ``permutation`` (None stays None).

    >>> invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    output = empty_like(permutation)
    positions = arange(permutation.numel(), device=permutation.device)
    return output.scatter_(0, permutation, positions)


class PackedSequence(_Fields):
    """Sequences of different lengths in one matrix; made by `pack_padded_sequence`.

    Attributes:
        data: all steps, ``(sum of lengths, *)``.
        batch_sizes: how many sequences have a first, second, ... step (int64, on the CPU).
        sorted_indices: which sequence stands at each place of the sorted batch, or None.
        unsorted_indices: the way back, or None.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:  # the older form: one pair
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never "
                "be created manually. They should be instantiated by functions like "
                "pack_sequence and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, change: Callable[[Tensor], Tensor], indices: bool = True) -> PackedSequence:
        data = change(self.data)
        if data is self.data:
            return self

        def moved(index: Tensor | None) -> Tensor | None:
            return None if index is None else index.to(data.device)

        return type(self)(
            data, self.batch_sizes, moved(self.sorted_indices), moved(self.unsorted_indices)
        )

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data as ``Tensor.to`` does; the indices follow to its device."""
        return self._with(lambda data: data.to(*args, **kwargs))

    def pin_memory(self) -> PackedSequence:
        """Itself: pinned memory matters for GPUs only."""
        return self

    def cpu(self) -> PackedSequence:
        """The data on the CPU."""
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data on a GPU; an error where there is none."""
        return self._with(lambda data: data.cuda(*args, **kwargs))

    def double(self) -> PackedSequence:
        """The data as float64."""
        return self.to(dtype=dtypes.float64)

    def float(self) -> PackedSequence:
        """The data as float32."""
        return self.to(dtype=dtypes.float32)

    def half(self) -> PackedSequence:
        """The data as float16."""
        return self.to(dtype=dtypes.float16)

    def long(self) -> PackedSequence:
        """The data as int64."""
        return self.to(dtype=dtypes.int64)

    def int(self) -> PackedSequence:
        """The data as int32."""
        return self.to(dtype=dtypes.int32)

    def short(self) -> PackedSequence:
        """The data as int16."""
        return self.to(dtype=dtypes.int16)

    def char(self) -> PackedSequence:
        """The data as int8."""
        return self.to(dtype=dtypes.int8)

    def byte(self) -> PackedSequence:
        """The data as uint8."""
        return self.to(dtype=dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.device.type == "cuda"

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory: never."""
        return False


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | list[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch ``(T, N, *)`` (or ``(N, T, *)``).

    Args:
        input: the padded batch.
        lengths: of each sequence, at least 1.
        batch_first: whether the batch is the first dimension.
        enforce_sorted: demand that lengths do not increase; False sorts them.

    Raises:
        RuntimeError: for lengths that do not fit the batch, or are not sorted.

    >>> packed = pack_padded_sequence(torch.ones(3, 2), [3, 1])
    >>> packed.batch_sizes
    tensor([2, 1, 1])
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            "_pack_padded_sequence(): argument 'input' (position 1) must be Tensor, not "
            f"{type(input).__name__}"
        )
    sizes = as_tensor(lengths, dtype=dtypes.int64)
    if sizes.dim() != 1:
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{sizes.dim()}D {sizes.device} Long tensor"
        )
    counts = sizes.tolist()
    sorted_indices = None
    if not enforce_sorted:
        order = sorted(range(len(counts)), key=lambda n: -counts[n])
        counts = [counts[n] for n in order]
        sorted_indices = tensor(order, dtype=dtypes.int64, device=input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    if batch_first:
        input = input.transpose(0, 1)
    _check_lengths(input, counts)
    batch_sizes = [sum(count > step for count in counts) for step in range(counts[0])]
    data = cat([input[step, :rows] for step, rows in enumerate(batch_sizes)], 0)
    return PackedSequence(data, tensor(batch_sizes, dtype=dtypes.int64), sorted_indices, None)


def _check_lengths(input: Tensor, lengths: list[int]) -> None:
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != input.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={input.size(1)})"
        )
    if min(lengths) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if lengths != sorted(lengths, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[0] > input.size(0):
        raise RuntimeError(
            f"Expected every length to be at most the {input.size(0)} padded steps, but got "
            f"{lengths[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """``(padded batch, lengths)`` of packed sequences, in their original order.

    Args:
        sequence: packed sequences.
        batch_first: whether the result is ``(N, T, *)`` rather than ``(T, N, *)``.
        padding_value: fills the places after the end of a sequence.
        total_length: pad to this length rather than to the longest sequence's.

    Raises:
        ValueError: when ``total_length`` is too short.
    """
    batch_sizes = sequence.batch_sizes.tolist()
    longest, batch = len(batch_sizes), batch_sizes[0]
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being "
                f"{longest}"
            )
        longest = total_length
    data = sequence.data
    rest = tuple(data.shape[1:])
    # Row t * batch + n of the flat padded matrix is step t of sequence n.
    rows = [step * batch + n for step, size in enumerate(batch_sizes) for n in range(size)]
    flat = full((longest * batch, *rest), padding_value, dtype=data.dtype, device=data.device)
    flat = flat.index_copy(0, tensor(rows, dtype=dtypes.int64), data)
    padded = flat.view(longest, batch, *rest)
    lengths = tensor(
        [sum(size > n for size in batch_sizes) for n in range(batch)], dtype=dtypes.int64
    )
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(
    sequences: Tensor | list[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences ``(L_i, *)`` into ``(T, N, *)``, padded to the longest.

    Args:
        sequences: tensors that differ in their first size only.
        batch_first: whether the result is ``(N, T, *)``.
        padding_value: fills the rest.
        padding_side: "right" or "left".

    >>> pad_sequence([torch.ones(2), torch.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    if padding_side not in ("right", "left"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    parts = list(sequences.unbind(0) if isinstance(sequences, Tensor) else sequences)
    if not parts:
        raise RuntimeError("received an empty list of sequences")
    longest = max(part.size(0) for part in parts)
    rest = tuple(parts[0].shape[1:])
    rows = []
    for part in parts:
        missing = longest - part.size(0)
        if missing:
            filler = full((missing, *rest), padding_value, dtype=part.dtype, device=part.device)
            part = cat([part, filler] if padding_side == "right" else [filler, part], 0)
        rows.append(part.unsqueeze(0 if batch_first else 1))
    return cat(rows, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Cut a padded batch into a list of sequences: undoes `pad_sequence`."""
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(batch, lengths.tolist(), strict=False)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences ``(L_i, *)``.

    >>> pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """
    lengths = tensor([part.size(0) for part in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The list of sequences in their original order: undoes `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
