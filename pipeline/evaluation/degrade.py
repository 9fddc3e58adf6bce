"""Degradations of clips: which frames, of which kind, and how badly, from 0 (nothing) to 5.

Every draw comes from the seed, the kind, the sample's key and the frame's offset alone. So each method sees the same
pixels whatever the batch.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from pipeline.evaluation.kinds import ALL_OR_NOTHING, PIXELS, WORST, Donors, Kind, Scene
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch

Target = Literal["keyframe", "supporting", "all"]
TARGETS: tuple[Target, ...] = get_args(Target)

MOST_DONORS = 16
"""Keyframes that may stand in for another video's; each is of a video of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What is done to clips."""

    kind: Kind
    severity: int
    """0 to 5; 0 leaves the clips as they are."""
    seed: int
    target: Target = "keyframe"

    def __post_init__(self) -> None:
        """Refuse severities that are none."""
        if not 0 <= self.severity <= WORST:
            raise ValueError(f"severity: got {self.severity}, wanted 0 to {WORST}")

    def generator(self, key: str, *, offset: int) -> np.random.Generator:
        """The draws for one frame of one sample, the same at every severity and for every target."""
        digest = hashlib.sha256(f"{self.seed} {self.kind} {key} {offset}".encode()).digest()
        return np.random.default_rng(list(digest))

    def touches(self, offset: int) -> bool:
        """Whether the frame at an offset from the keyframe is degraded."""
        return self.severity > 0 and (self.target == "all" or (self.target == "keyframe") == (offset == 0))


def degraded(
    batch: ClipBatch, how: Degradation, *, clip: tuple[int, ...], donors: Donors
) -> UInt8[Tensor, "B T 3 H W"]:
    """The frames of a batch after the degradation; occluders of supporting frames stand where the keyframe's joints do.

    Args:
        batch: whole clips, which stay as they are.
        how: target, kind, severity and seed.
        clip: offsets of the T frames from the keyframe, 0 among them, ascending.
        donors: what the kind `foreign` takes its frames from.
    """
    if how.severity == 0:
        return batch.frames
    frames = [
        PIXELS[how.kind](_scene(batch, how, clip=clip, position=position, donors=donors), how.severity)
        if how.touches(offset)
        else batch.frames[:, position]
        for position, offset in enumerate(clip)
    ]
    return torch.stack(frames, dim=1)


def _scene(batch: ClipBatch, how: Degradation, *, clip: tuple[int, ...], position: int, donors: Donors) -> Scene:
    return Scene(
        frames=batch.frames,
        clip=clip,
        position=position,
        keypoints=batch.keypoints,
        visible=batch.visible,
        videos=tuple(sample.video for sample in batch.samples),
        generators=tuple(how.generator(key, offset=clip[position]) for key in batch.keys),
        donors=donors,
    )


def is_all_or_nothing(kind: Kind) -> bool:
    """Whether every severity above 0 is the same."""
    return kind in ALL_OR_NOTHING


def gather_donors(batches: Iterable[ClipBatch], *, position: int) -> Donors:
    """The first keyframe of each of the first videos.

    Args:
        batches: of clips, in any order that is always the same.
        position: of the keyframe in the clips.

    Raises:
        Refusal: there is one video only.
    """
    found: dict[str, UInt8[Tensor, "3 H W"]] = {}
    for batch in batches:
        for row, sample in enumerate(batch.samples):
            if sample.video not in found:
                found[sample.video] = batch.frames[row, position].clone(memory_format=torch.contiguous_format)
        if len(found) >= MOST_DONORS:
            break
    if len(found) < 2:
        raise Refusal(
            f"stress.kinds: got `foreign` with people of {len(found)} video to be evaluated, wanted two or more: "
            "a keyframe is replaced by another video's; leave it out"
        )
    kept = list(found)[:MOST_DONORS]
    return Donors(frames=torch.stack([found[video] for video in kept]), videos=tuple(kept))
