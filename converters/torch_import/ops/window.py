"""Where the windows of convolutions and pools lie: paddings by attribute, and views of all windows."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import pad

Pads = list[tuple[int, int]]


def paddings(
    size: Sequence[int],
    extent: Sequence[int],
    strides: Sequence[int],
    auto_pad: str = "NOTSET",
    pads: Sequence[int] | None = None,
) -> Pads:
    """Return (begin, end) for each spatial axis.

    Args:
        size: input lengths.
        extent: window lengths with dilation, ``(k - 1) d + 1``.
        strides: steps between windows.
        auto_pad: NOTSET, VALID, SAME_UPPER or SAME_LOWER (the odd cell goes to the end, or to the beginning).
        pads: all begins, then all ends; read when auto_pad is NOTSET.
    """
    rank = len(size)
    if auto_pad == "VALID" or (auto_pad in ("", "NOTSET") and pads is None):
        return [(0, 0)] * rank
    if auto_pad in ("", "NOTSET"):
        begins, ends = list(pads or [])[:rank], list(pads or [])[rank:]
        return list(zip(begins, ends, strict=True))
    result = []
    for n, k, s in zip(size, extent, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        small, large = total // 2, total - total // 2
        result.append((large, small) if auto_pad == "SAME_LOWER" else (small, large))
    return result


def symmetric(pads: Pads) -> list[int] | None:
    """Return one padding per axis where begin equals end everywhere, else None."""
    return [begin for begin, _ in pads] if all(begin == end for begin, end in pads) else None


def padded(x: Tensor, pads: Pads, fill: float = 0.0) -> Tensor:
    """Pad the last axes of x with a constant; negative paddings crop."""
    if not any(map(any, pads)):
        return x
    return pad(x, [cell for pair in reversed(pads) for cell in pair], value=fill)


def extents(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """Return how far each dilated window reaches."""
    return [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]


def reach(size: Sequence[int], extent: Sequence[int], strides: Sequence[int], pads: Pads) -> Pads:
    """Lengthen the end paddings so that a last, partial window fits, as ceil_mode asks for."""
    result = []
    for n, k, s, (begin, end) in zip(size, extent, strides, pads, strict=True):
        count = -(-(n + begin + end - k) // s) + 1
        if (count - 1) * s >= n + begin:  # a window must begin on the input or its left padding
            count -= 1
        result.append((begin, max(end, (count - 1) * s + k - n - begin)))
    return result


def windows(x: Tensor, extent: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Tensor:
    """View every window of the last axes: (n, c, *out) becomes (n, c, *out, *kernel)."""
    for axis, (k, s) in enumerate(zip(extent, strides, strict=True), start=2):
        x = x.unfold(axis, k, s)
    return spaced(x, dilations)


def spaced(x: Tensor, dilations: Sequence[int]) -> Tensor:
    """Keep every d-th cell of the last axes."""
    for axis, d in enumerate(dilations, start=x.ndim - len(dilations)):
        if d > 1:
            x = x[(slice(None),) * axis + (slice(None, None, d),)]
    return x
