"""Keypoints to heatmaps and back.

By the default both ways are without bias. Input pixel centres 0 and W - 1 are then the centres of cells 0 and w - 1:
`cell = x * (w - 1) / (W - 1)`, as in UDP (Huang et al., 2020), so that mirroring an input mirrors its heatmaps exactly.
What published baselines do instead, with `cell = x / stride` and centres rounded to whole cells, is there to compare.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from dsn.parts import HeatmapConfig

FLOOR = 1e-6
"""Heatmap values below this count as this where logarithms are taken."""


def encode(
    keypoints: Float[Tensor, "B K 2"],
    visible: Bool[Tensor, "B K"],
    *,
    input_size: tuple[int, int],
    config: HeatmapConfig,
) -> tuple[Float[Tensor, "B K h w"], Bool[Tensor, "B K"]]:
    """Gaussians of height 1 around keypoints in input pixels, and which of them to train on.

    Those are the visible keypoints within the input's pixels: of somebody half outside the crop, the inner half is
    learned. The maps of all other keypoints are zero.
    """
    height, width = (side // config.stride for side in input_size)
    last = keypoints.new_tensor([input_size[1] - 1, input_size[0] - 1])
    supervised = visible & ((keypoints >= 0) & (keypoints <= last)).all(dim=-1)
    cells = keypoints * _cells_per_pixel(keypoints, input_size=input_size, config=config)
    if config.encoding == "gaussian":
        cells = (cells + 0.5).floor()
    columns = _gaussian(cells[..., 0], length=width, sigma=config.sigma)
    rows = _gaussian(cells[..., 1], length=height, sigma=config.sigma)
    drawn = rows[..., :, None] * columns[..., None, :]
    return torch.where(supervised[..., None, None], drawn, 0.0), supervised


def decode(
    heatmaps: Float[Tensor, "B K h w"], *, input_size: tuple[int, int], config: HeatmapConfig
) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """Keypoints in input pixels, and each map's maximum as its score; `config.decoding` refines the maximum's place."""
    width = heatmaps.shape[-1]
    scores, places = heatmaps.flatten(2).max(dim=-1)
    peaks = torch.stack([places % width, places // width], dim=-1)
    match config.decoding:
        case "quarter":
            cells = _quarter_shift(heatmaps, peaks)
        case "dark":
            cells = _newton(blurred(heatmaps, sigma=config.sigma), peaks, scores=scores)
        case "newton":
            cells = _newton(heatmaps, peaks, scores=scores)
    return cells / _cells_per_pixel(cells, input_size=input_size, config=config), scores


def blurred(heatmaps: Float[Tensor, "B K h w"], *, sigma: float) -> Float[Tensor, "B K h w"]:
    """Each map smoothed by a Gaussian of `sigma` cells, which takes the noise of a prediction off its peak."""
    reach = round(2.5 * sigma)
    kernel = _gaussian(heatmaps.new_tensor([[float(reach)]]), length=2 * reach + 1, sigma=sigma).flatten()
    kernel = kernel / kernel.sum()
    maps = heatmaps.flatten(0, 1)[:, None]
    maps = functional.conv2d(maps, kernel.reshape(1, 1, 1, -1), padding=(0, reach))
    return functional.conv2d(maps, kernel.reshape(1, 1, -1, 1), padding=(reach, 0)).reshape(heatmaps.shape)


def flip(heatmaps: Float[Tensor, "B K h w"], *, flip_pairs: tuple[tuple[int, int], ...]) -> Float[Tensor, "B K h w"]:
    """The heatmaps of the mirrored input: mirrored maps, left and right joints exchanged; the body's axis stays."""
    order = list(range(heatmaps.shape[1]))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    return heatmaps[:, order].flip(-1)


def _cells_per_pixel(
    like: Float[Tensor, "B K 2"], *, input_size: tuple[int, int], config: HeatmapConfig
) -> Float[Tensor, " 2"]:
    """Scale of x and of y from input pixels to heatmap cells."""
    if config.encoding == "gaussian":
        return like.new_full((2,), 1 / config.stride)
    rows, columns = ((pixels // config.stride - 1) / (pixels - 1) for pixels in input_size)
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


def _quarter_shift(heatmaps: Float[Tensor, "B K h w"], peaks: Int[Tensor, "B K 2"]) -> Float[Tensor, "B K 2"]:
    """A quarter of a cell from each maximum towards its higher neighbour, in x and in y (Newell et al., 2016).

    At the border, where a neighbour is missing, the maximum stays where it is.
    """
    last = peaks.new_tensor([heatmaps.shape[-1] - 1, heatmaps.shape[-2] - 1])
    around = _neighbourhoods(heatmaps, peaks.clamp(min=1).minimum(last - 1))
    rises = [around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]]
    is_inside = ((peaks > 0) & (peaks < last)).all(dim=-1, keepdim=True)
    return peaks + 0.25 * torch.stack(rises, dim=-1).sign() * is_inside


def _newton(
    heatmaps: Float[Tensor, "B K h w"], peaks: Int[Tensor, "B K 2"], *, scores: Float[Tensor, "B K"]
) -> Float[Tensor, "B K 2"]:
    """Maxima refined by one Newton step on the logarithm of the map (DARK: Zhang et al., 2020).

    For a Gaussian it is exact, also when its centre is at the border: the step starts from the nearest cell that has
    neighbours on all sides. A step that leads farther than a cell from the maximum is not taken.
    """
    height, width = heatmaps.shape[-2:]
    starts = torch.stack([peaks[..., 0].clamp(1, width - 2), peaks[..., 1].clamp(1, height - 2)], dim=-1)
    refined = starts + _newton_steps(_neighbourhoods(heatmaps, starts).clamp(min=FLOOR).log())
    trusted = ((refined - peaks).abs() <= 1).all(dim=-1, keepdim=True) & (scores > FLOOR)[..., None]
    return torch.where(trusted, refined, peaks.to(refined.dtype))


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
