"""Clips as the network's training and evaluation see them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from pipeline.shards.clip import Clip, Clips
from pipeline.shards.crop import scale_of
from pipeline.shards.sample import ClipSample


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipBatch:
    """B clips. Pixels cross to the device as uint8; normalisation and heatmaps are made there."""

    keys: tuple[str, ...]
    frames: UInt8[Tensor, "B T 3 H W"]
    """RGB crops in order of time. Their memory is channels-last, so `view` may need `contiguous` first."""
    keypoints: Float[Tensor, "B K 2"]
    """At the keyframe, in input pixels."""
    visible: Bool[Tensor, "B K"]
    """Labelled, scored and inside the crop: what is supervised."""
    to_source: Float[Tensor, "B 2 3"]
    """From input pixels to the source frame."""
    head_size: Float[Tensor, " B"]
    """The official evaluator's head size, in input pixels; NaN where unknown."""
    bbox_size: Float[Tensor, " B"]
    """The longer side of the bbox at the keyframe, in input pixels."""
    is_spoilt: Bool[Tensor, " B"]
    """Whose keyframe augmentation dropped out or degraded."""
    samples: tuple[ClipSample, ...]
    quarantined: tuple[str, ...] = ()
    """Records that could not be read and in whose place others stand here: each with its name and the reason."""


def collate(made: Clips) -> ClipBatch:
    """Clips as a batch, whose frames stay where they are in memory."""
    clips = made.clips
    return ClipBatch(
        keys=tuple(clip.sample.key for clip in clips),
        frames=torch.from_numpy(made.frames).permute(0, 1, 4, 2, 3),
        keypoints=torch.from_numpy(np.stack([clip.keypoints for clip in clips]).astype(np.float32)),
        visible=torch.from_numpy(np.stack([clip.visible for clip in clips])),
        to_source=torch.from_numpy(np.stack([clip.to_source for clip in clips]).astype(np.float32)),
        head_size=torch.tensor([_head_size(clip) for clip in clips], dtype=torch.float32),
        bbox_size=torch.tensor([_bbox_size(clip) for clip in clips], dtype=torch.float32),
        is_spoilt=torch.tensor([clip.is_spoilt for clip in clips], dtype=torch.bool),
        samples=tuple(clip.sample for clip in clips),
        quarantined=made.quarantined,
    )


def _head_size(clip: Clip) -> float:
    size = clip.sample.head_size
    return float("nan") if size is None else size / scale_of(clip.to_source)


def _bbox_size(clip: Clip) -> float:
    x1, y1, x2, y2 = clip.sample.bbox
    return max(x2 - x1, y2 - y1) / scale_of(clip.to_source)
