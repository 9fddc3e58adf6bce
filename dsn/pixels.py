"""Pixels in and out of the network: normalised floats, clips taken apart, and patches to reconstruct."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""ImageNet's mean RGB, for every network; weights that were published for another are changed (`dsn.rescaling`)."""
STD = (0.229, 0.224, 0.225)
"""ImageNet's standard deviation of RGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelScale:
    """How pixels are normalised, from 0 to 1, in the order red, green, blue."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Refuse a deviation that divides by nothing."""
        if min(self.std) <= 0:
            raise ValueError(f"std: got {list(self.std)}, wanted more than 0")

    @property
    def told(self) -> str:
        """In words."""
        return f"mean {' '.join(map(str, self.mean))} and std {' '.join(map(str, self.std))}"


IMAGENET = PixelScale(mean=MEAN, std=STD)


def normalize(frames: UInt8[Tensor, "*B 3 H W"]) -> Float[Tensor, "*B 3 H W"]:
    """RGB bytes as floats of about zero mean and unit variance."""
    scale = torch.tensor([1 / (255 * std) for std in STD], device=frames.device).reshape(3, 1, 1)
    shift = torch.tensor([-mean / std for mean, std in zip(MEAN, STD, strict=True)], device=frames.device)
    return torch.addcmul(shift.reshape(3, 1, 1), frames.to(scale.dtype), scale)


def split_clip(
    frames: Float[Tensor, "B T 3 H W"], *, keyframe_position: int
) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B S 3 H W"]]:
    """The keyframe, and the supporting frames in their order; see `ClipConfig.keyframe_position`."""
    before, after = frames[:, :keyframe_position], frames[:, keyframe_position + 1 :]
    return frames[:, keyframe_position], torch.cat([before, after], dim=1)


def patchify(frames: Float[Tensor, "B 3 H W"], *, patch: int) -> Float[Tensor, "B M P"]:
    """Cut frames into M patches, row by row, each of P = patch * patch * 3 numbers with the colour last."""
    batch, channels, height, width = frames.shape
    cells = frames.reshape(batch, channels, height // patch, patch, width // patch, patch)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, patch * patch * channels)
