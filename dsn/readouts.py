"""What a network answers, part by part."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What a network makes of M patches that it did not see, and what they are; in training only."""

    guess: Float[Tensor, "B M P"]
    """P numbers a patch."""
    truth: Float[Tensor, "B M P"]
    """Without a gradient."""
    counted: Bool[Tensor, "B M"]
    """Which patches the error is taken over: those that were hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readouts:
    """Heatmaps of the keyframe from each part of a network; None where a network has no such part."""

    final: Float[Tensor, "B K h w"]
    """What the network answers."""
    keypoint: Float[Tensor, "B K h w"] | None = None
    """Of the keypoint tokens; temporal stream."""
    dense: Float[Tensor, "B S K h w"] | None = None
    """Of each watched frame's tokens; temporal stream."""
    temporal: Float[Tensor, "B K h w"] | None = None
    """What the temporal stream answers: the mean of `keypoint` and of the mean of `dense`, or the one that there is."""
    visual: Float[Tensor, "B K h w"] | None = None
    """Of the visual stream, before it interacts with the other."""
    gate: Float[Tensor, "B K"] | None = None
    """The temporal stream's share in each joint's final heatmap, where a gate decides on it."""
    reconstruction: Reconstruction | None = None
    """The keyframe from the context tokens."""
    masked: Reconstruction | None = None
    """The supporting frames' hidden tokens from the others."""
