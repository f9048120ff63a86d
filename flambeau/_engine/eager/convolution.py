"""NumPy rules for convolution: strided windows gathered into columns (im2col), then matmul.

Samples are taken a few at a time, so that the columns stay within a bounded amount of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from .precision import in_float32
from .table import rule
from .windows import add_windows, padded, unpadded, windows

COLUMN_BYTES = 1 << 20  # what a second-level cache holds, for the product reads them at once


def _batches(samples: int, bytes_each: int) -> Iterator[slice]:
    """Runs of samples whose columns fit in COLUMN_BYTES together, at least one a run."""
    count = max(1, COLUMN_BYTES // max(bytes_each, 1))
    for start in range(0, samples, count):
        yield slice(start, start + count)


def _grouped_windows(a, kernel, stride, padding, dilation, groups):
    """Windows of the padded input as (N, groups, C / groups, *K, *T): a view where it can be."""
    found = windows(padded(a, padding), kernel, stride, dilation)
    rank = len(kernel)
    samples, channels = a.shape[:2]
    kernel_first = found.transpose(rank, rank + 1, *range(rank), *range(rank + 2, found.ndim))
    return kernel_first.reshape(samples, groups, channels // groups, *kernel_first.shape[2:])


def _columns_bytes(found: np.ndarray) -> int:
    return found.itemsize * prod(found.shape[1:])


@rule("convolution")
@in_float32
def _convolution(a, weight, *, stride, padding, dilation, groups):
    kernel = weight.shape[2:]
    found = _grouped_windows(a, kernel, stride, padding, dilation, groups)
    places = found.shape[3 + len(kernel) :]
    samples, outputs = a.shape[0], weight.shape[0]
    rows = prod(weight.shape[1:])
    filters = weight.reshape(groups, outputs // groups, rows)
    out = np.empty((samples, groups, outputs // groups, prod(places)), a.dtype)
    for part in _batches(samples, _columns_bytes(found)):
        columns = found[part]
        columns = columns.reshape(len(columns), groups, rows, prod(places))
        np.matmul(filters, columns, out=out[part])
    return out.reshape(samples, outputs, *places)


@rule("convolution_input_grad")
@in_float32
def _input_grad(output, weight, *, size, stride, padding, dilation, groups):
    kernel, places = weight.shape[2:], output.shape[2:]
    samples, channels = output.shape[0], weight.shape[1]
    if weight.shape[0] <= 2 * channels * groups and all(s == 1 for s in stride):
        # as fast as adding windows where there are as many columns, and faster the fewer there are
        border = tuple(_full_padding(size, places, kernel, padding, dilation))
        if all(low >= 0 and high >= 0 for low, high in border):
            turned = _turned(weight, groups)
            return _convolution(
                output, turned, stride=stride, padding=border, dilation=dilation, groups=groups
            )
    rows = channels * prod(kernel)
    filters = weight.reshape(groups, weight.shape[0] // groups, rows).transpose(0, 2, 1)
    whole = tuple(n + low + high for n, (low, high) in zip(size, padding, strict=True))
    out = np.zeros((samples, groups, channels, *whole), output.dtype)
    grouped = output.reshape(samples, groups, weight.shape[0] // groups, prod(places))
    bytes_each = output.itemsize * groups * rows * prod(places)
    for part in _batches(samples, bytes_each):
        columns = np.matmul(filters, grouped[part])
        columns = columns.reshape(len(columns), groups, channels, *kernel, *places)
        to_front = (*range(3, 3 + len(kernel)), 0, 1, 2, *range(3 + len(kernel), columns.ndim))
        add_windows(out[part], columns.transpose(to_front), stride, dilation)
    return unpadded(out.reshape(samples, groups * channels, *whole), padding)


def _full_padding(size, places, kernel, padding, dilation):
    """The border with which a convolution of the output with stride 1 has the input's size."""
    for n, t, k, (low, _), d in zip(size, places, kernel, padding, dilation, strict=True):
        before = d * (k - 1) - low
        yield before, n + d * (k - 1) - before - t


def _turned(weight, groups):
    """Filters that take outputs back to inputs: turned around, inputs and outputs exchanged."""
    outputs, channels = weight.shape[0] // groups, weight.shape[1]
    grouped = weight.reshape(groups, outputs, *weight.shape[1:]).swapaxes(1, 2)
    # a copy: matmul is slow along negative strides
    turned = np.flip(grouped, tuple(range(3, grouped.ndim))).copy()
    return turned.reshape(groups * channels, outputs, *weight.shape[2:])


@rule("convolution_weight_grad")
@in_float32
def _weight_grad(a, output, *, kernel, stride, padding, dilation, groups):
    found = _grouped_windows(a, kernel, stride, padding, dilation, groups)
    rank, samples = len(kernel), a.shape[0]
    places, outputs = output.shape[2:], output.shape[1] // groups
    channels = a.shape[1] // groups
    # a transposed convolution's output padding may leave room for windows that were not used
    found = found[(..., *(slice(n) for n in places))]
    rows = channels * prod(kernel)
    grouped = output.reshape(samples, groups, outputs, prod(places))
    out = np.zeros((groups, outputs, rows), a.dtype)
    samples_last = (1, *range(2, 3 + rank), 0, *range(3 + rank, found.ndim))
    for part in _batches(samples, _columns_bytes(found)):
        count = len(grouped[part]) * prod(places)
        columns = found[part].transpose(samples_last).reshape(groups, rows, count)
        grads = grouped[part].transpose(1, 2, 0, 3).reshape(groups, outputs, count)
        out += np.matmul(grads, columns.transpose(0, 2, 1))
    return out.reshape(groups * outputs, channels, *kernel)
