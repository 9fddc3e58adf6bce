"""Clips with supporting frames farther from the keyframe, read from the dataset's own images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Int64

from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.crop import Image, shrinking_warp
from pipeline.shards.sample import ClipSample
from pipeline.shards.video import frames_used

KEPT = 64
"""Images that are kept decoded; clips of one video follow each other and share most of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """Where the frames of val are."""

    positions: Mapping[str, Int64[np.ndarray, " F"]]
    """By video, ascending."""
    files: Mapping[tuple[str, int], Path]
    """By video and position."""

    def read(self, video: str, frame: int) -> Image:
        """A frame as RGB.

        Raises:
            Refusal: it is missing or damaged.
        """
        return _read(self.files[video, frame])


@lru_cache(maxsize=KEPT)
def _read(path: Path) -> Image:
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted a frame of val, which stress.strides above 1 read")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise Refusal(f"{path}: got no image, wanted a frame of val, which stress.strides above 1 read")
    return np.asarray(image, dtype=np.uint8)


def footage_of(index: Index, root: Path) -> Footage:
    """The frames of val below the dataset's root."""
    frames = index.frames[index.frames["split"] == "val"]
    rows = list(zip(frames["video"], frames["frame"].astype(int), frames["file"], strict=True))
    positions = {str(video): np.sort(found.to_numpy(np.int64)) for video, found in frames.groupby("video")["frame"]}
    return Footage(positions=positions, files={(video, frame): root / file for video, frame, file in rows})


def strided(batch: ClipBatch, stride: int, *, footage: Footage, clip: tuple[int, ...]) -> ClipBatch:
    """The same keyframes, with supporting frames `stride` times as far away.

    Where a video ends before, its nearest frame stands in, as in the shards. At stride 1 the batch itself.

    Args:
        batch: clips out of shards.
        stride: by what offsets are multiplied.
        footage: the frames.
        clip: offsets of the T frames, 0 among them, ascending.
    """
    if stride == 1:
        return batch
    samples = tuple(_farther(sample, stride, footage=footage, clip=clip) for sample in batch.samples)
    frames = batch.frames.clone(memory_format=torch.contiguous_format)
    for row, sample in enumerate(samples):
        for place, frame in enumerate(sample.frames_used):
            if clip[place]:
                image = footage.read(sample.video, frame)
                size = (frames.shape[3], frames.shape[4])
                crop = shrinking_warp(image, batch.to_source[row].double().numpy(), size=size)
                frames[row, place] = torch.from_numpy(crop).permute(2, 0, 1)
    return replace(batch, frames=frames, samples=samples)


def _farther(sample: ClipSample, stride: int, *, footage: Footage, clip: tuple[int, ...]) -> ClipSample:
    wanted = [offset * stride for offset in clip]
    return replace(sample, frames_used=frames_used(footage.positions[sample.video], frame=sample.frame, clip=wanted))
