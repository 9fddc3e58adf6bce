"""Keypoints to heatmaps and back, without bias.

Input pixel centres 0 and W - 1 are the centres of cells 0 and w - 1: `cell = x * (w - 1) / (W - 1)`, as in UDP (Huang
et al., 2020). Mirroring an input then mirrors its heatmaps exactly. Decoding follows DARK (Zhang et al., 2020), but
without the blur.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FLOOR = 1e-6
"""Heatmap values below this count as this where logarithms are taken."""


def encode(
    keypoints: Float[Tensor, "B K 2"],
    visible: Bool[Tensor, "B K"],
    *,
    input_size: tuple[int, int],
    heatmap_size: tuple[int, int],
    sigma: float,
) -> tuple[Float[Tensor, "B K h w"], Bool[Tensor, "B K"]]:
    """Gaussians of height 1 around keypoints in input pixels, and which of them to train on.

    Those are the visible keypoints within the input's pixels: of somebody half outside the crop, the inner half is
    learned. The maps of all other keypoints are zero.
    """
    height, width = heatmap_size
    cells = keypoints * _cells_per_pixel(keypoints, input_size=input_size, heatmap_size=heatmap_size)
    inside = (cells >= 0).all(dim=-1) & (cells[..., 0] <= width - 1) & (cells[..., 1] <= height - 1)
    supervised = visible & inside
    columns = _gaussian(cells[..., 0], length=width, sigma=sigma)
    rows = _gaussian(cells[..., 1], length=height, sigma=sigma)
    drawn = rows[..., :, None] * columns[..., None, :]
    return torch.where(supervised[..., None, None], drawn, 0.0), supervised


def decode(
    heatmaps: Float[Tensor, "B K h w"], *, input_size: tuple[int, int]
) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """Keypoints in input pixels, and each map's maximum as its score.

    The maximum is refined by one Newton step on the logarithm of the map, which for a Gaussian is exact, also when
    its centre is at the border: the step starts from the nearest cell that has neighbours on all sides.
    """
    height, width = heatmaps.shape[-2:]
    scores, places = heatmaps.flatten(2).max(dim=-1)
    peaks = torch.stack([places % width, places // width], dim=-1)
    starts = torch.stack([peaks[..., 0].clamp(1, width - 2), peaks[..., 1].clamp(1, height - 2)], dim=-1)
    steps = _newton_steps(_neighbourhoods(heatmaps, starts).clamp(min=FLOOR).log())
    refined = starts + steps
    trusted = ((refined - peaks).abs() <= 1).all(dim=-1, keepdim=True) & (scores > FLOOR)[..., None]
    cells = torch.where(trusted, refined, peaks.to(refined.dtype))
    return cells / _cells_per_pixel(cells, input_size=input_size, heatmap_size=(height, width)), scores


def flip(heatmaps: Float[Tensor, "B K h w"], *, flip_pairs: tuple[tuple[int, int], ...]) -> Float[Tensor, "B K h w"]:
    """The heatmaps of the mirrored input: mirrored maps, left and right joints exchanged; the body's axis stays."""
    order = list(range(heatmaps.shape[1]))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    return heatmaps[:, order].flip(-1)


def _cells_per_pixel(
    like: Float[Tensor, "B K 2"], *, input_size: tuple[int, int], heatmap_size: tuple[int, int]
) -> Float[Tensor, " 2"]:
    """Scale of x and of y from input pixels to heatmap cells."""
    rows, columns = ((cells - 1) / (pixels - 1) for cells, pixels in zip(heatmap_size, input_size, strict=True))
    return like.new_tensor([columns, rows])


def _gaussian(centres: Float[Tensor, "B K"], *, length: int, sigma: float) -> Float[Tensor, "B K length"]:
    """One axis of a Gaussian at cells 0 to length - 1."""
    distances = torch.arange(length, device=centres.device, dtype=centres.dtype) - centres[..., None]
    return torch.exp(-(distances**2) / (2 * sigma**2))


def _neighbourhoods(heatmaps: Float[Tensor, "B K h w"], cells: Int[Tensor, "B K 2"]) -> Float[Tensor, "B K 3 3"]:
    """The 3 x 3 values around a cell of each map: rows, then columns."""
    width = heatmaps.shape[-1]
    around = torch.arange(-1, 2, device=cells.device)
    places = (cells[..., 1, None, None] + around[:, None]) * width + cells[..., 0, None, None] + around
    return heatmaps.flatten(2).gather(2, places.flatten(2)).reshape(*places.shape)


def _newton_steps(logs: Float[Tensor, "B K 3 3"]) -> Float[Tensor, "B K 2"]:
    """(x, y) from each centre to the maximum of the quadratic through its neighbourhood; infinite if there is none."""
    centre = logs[..., 1, 1]
    dx, dy = (logs[..., 1, 2] - logs[..., 1, 0]) / 2, (logs[..., 2, 1] - logs[..., 0, 1]) / 2
    dxx = logs[..., 1, 2] - 2 * centre + logs[..., 1, 0]
    dyy = logs[..., 2, 1] - 2 * centre + logs[..., 0, 1]
    dxy = (logs[..., 2, 2] - logs[..., 2, 0] - logs[..., 0, 2] + logs[..., 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    is_maximum = (determinant > FLOOR) & (dxx < 0)
    steps = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / determinant[..., None]
    return torch.where(is_maximum[..., None], steps, torch.inf)
