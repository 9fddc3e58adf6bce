"""What a network answers, part by part."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Readouts:
    """Heatmaps of the keyframe from each part of a network; None where a network has no such part."""

    final: Float[Tensor, "B K h w"]
    """What the network answers."""
    keypoint: Float[Tensor, "B K h w"] | None = None
    """Of the keypoint tokens; temporal stream."""
    dense: Float[Tensor, "B S K h w"] | None = None
    """Of each supporting frame's tokens; temporal stream."""
    temporal: Float[Tensor, "B K h w"] | None = None
    """What the temporal stream answers, without the keyframe: the mean of `keypoint` and the mean of `dense`."""
    visual: Float[Tensor, "B K h w"] | None = None
    """Of the visual stream before fusion, by the final head."""
    reconstruction: Float[Tensor, "B M P"] | None = None
    """The keyframe's pixels from the context tokens; in training only."""
