"""Boxes: suppression of overlaps, and pools of regions. Box choices are integers and end every gradient path."""

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator


def _corners(boxes: Tensor, centred: int) -> Tensor:
    """Bring boxes (…, 4) to (low, low, high, high)."""
    if centred:
        half = boxes[..., 2:] / 2
        return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)
    return torch.cat([torch.minimum(boxes[..., :2], boxes[..., 2:]), torch.maximum(boxes[..., :2], boxes[..., 2:])], -1)


def _overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of every pair of boxes (n, 4); zero where a box has no area."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    area = sides.prod(-1)
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    union = area[:, None] + area[None] - common
    return torch.where(common > 0, common / union, 0)


@operator("NonMaxSuppression")
def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    limit: Tensor | None = None,
    overlap: Tensor | None = None,
    threshold: Tensor | None = None,
    *,
    center_point_box: int = 0,
) -> Tensor:
    """Choose, per batch and class, the best boxes that do not overlap better ones: rows (batch, class, box)."""
    most = 0 if limit is None else int(limit)
    most_overlap = 0.0 if overlap is None else float(overlap)
    chosen: list[tuple[int, int, int]] = []
    for batch in range(boxes.shape[0]):
        shared = _overlaps(_corners(boxes[batch].detach(), center_point_box))
        for label in range(scores.shape[1]):
            values = scores[batch, label].detach()
            order = torch.sort(values, descending=True, stable=True).indices.tolist()
            ranked = [i for i in order if threshold is None or values[i] > threshold]
            chosen += [(batch, label, i) for i in _greedy(ranked, shared.numpy(force=True), most_overlap, most)]
    return torch.tensor(chosen, dtype=torch.int64, device=boxes.device).reshape(-1, 3)


def _greedy(ranked: list[int], shared: "np.typing.NDArray[np.floating]", most_overlap: float, most: int) -> list[int]:
    kept: list[int] = []
    for i in ranked:
        if len(kept) >= most:
            break
        if all(shared[i, j] <= most_overlap for j in kept):
            kept.append(i)
    return kept


@operator("RoiAlign")
def roi_align(
    x: Tensor,
    rois: Tensor,
    batch: Tensor,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Tensor:
    """Pool bilinear samples of each region into a grid (He et al., 2017)."""
    half = coordinate_transformation_mode == "half_pixel"
    edges = rois * spatial_scale - (0.5 if half else 0.0)
    regions = [
        _pooled(x[i], edge, (output_height, output_width), sampling_ratio, mode, clamp=not half)
        for i, edge in zip(batch.tolist(), edges, strict=True)
    ]
    return torch.stack(regions) if regions else x.new_zeros(0, x.shape[1], output_height, output_width)


def _pooled(x: Tensor, edge: Tensor, size: tuple[int, int], ratio: int, mode: str, clamp: bool) -> Tensor:
    """Pool one region of a map (c, h, w)."""
    axes = []
    for start, end, bins, length in ((edge[1], edge[3], size[0], x.shape[1]), (edge[0], edge[2], size[1], x.shape[2])):
        extent = (end - start).clamp(min=1) if clamp else end - start
        per_bin = ratio if ratio > 0 else max(int(torch.ceil(extent / bins)), 1)
        places = start + (torch.arange(bins * per_bin, device=x.device) + 0.5) * extent / (bins * per_bin)
        axes.append(_samples(places, length))
    (y0, y1, wy0, wy1), (x0, x1, wx0, wx1) = axes
    corners = [
        x[:, rows][:, :, columns] * (a[:, None] * b)
        for rows, a in ((y0, wy0), (y1, wy1))
        for columns, b in ((x0, wx0), (x1, wx1))
    ]
    # The largest corner of a sample, not its interpolated value: so the operator is defined.
    values = sum(corners) if mode == "avg" else torch.stack(corners).amax(0)
    cells = torch.as_tensor(values).reshape(len(x), size[0], len(y0) // size[0], size[1], len(x0) // size[1])
    return cells.mean((2, 4)) if mode == "avg" else cells.amax((2, 4))


def _samples(places: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Neighbours of positions on an axis and their weights; zero beyond one cell outside."""
    inside = ((places >= -1) & (places <= length)).to(places.dtype)
    clamped = places.clamp(0, length - 1)
    low = clamped.detach().floor().long()
    high = (low + 1).clamp(max=length - 1)
    far = clamped - low
    return low, high, (1 - far) * inside, far * inside


@operator("MaxRoiPool")
def max_roi_pool(x: Tensor, rois: Tensor, *, pooled_shape: list[int], spatial_scale: float = 1.0) -> Tensor:
    """Largest value in each cell of a grid over each region (batch, x1, y1, x2, y2) (Girshick, 2015)."""
    height, width = pooled_shape
    regions = []
    for batch, *edges in rois.tolist():
        left, top, right, bottom = (int(np.floor(edge * spatial_scale + 0.5)) for edge in edges)
        rows = _bins(top, bottom, height, x.shape[2])
        columns = _bins(left, right, width, x.shape[3])
        cells = [_top(x[int(batch), :, a:b, c:d]) for a, b in rows for c, d in columns]
        regions.append(torch.stack(cells, -1).reshape(-1, height, width))
    return torch.stack(regions)


def _bins(first: int, last: int, count: int, length: int) -> list[tuple[int, int]]:
    step = max(last - first + 1, 1) / count
    edges = [(int(np.floor(i * step)) + first, int(np.ceil((i + 1) * step)) + first) for i in range(count)]
    return [(min(max(a, 0), length), min(max(b, 0), length)) for a, b in edges]


def _top(cell: Tensor) -> Tensor:
    return cell.amax((1, 2)) if cell.numel() else cell.new_zeros(cell.shape[0])
