"""Clips as arrays. Whoever makes them needs no torch, which would cost each reading process half a gigabyte."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.shards.crop import Affine
from pipeline.shards.sample import ClipSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """All but the pixels of one sample, cropped to the network's input."""

    sample: ClipSample
    keypoints: Float[np.ndarray, "K 2"]
    """At the keyframe, in input pixels."""
    visible: Bool[np.ndarray, " K"]
    to_source: Affine
    """From input pixels to the source frame."""
    is_spoilt: bool
    """Whether augmentation dropped out or degraded the keyframe; known once the pixels are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """What becomes a batch."""

    clips: tuple[Clip, ...]
    frames: UInt8[np.ndarray, "B T H W 3"]
    """RGB."""
    quarantined: tuple[str, ...]
    """See `ClipBatch`."""
