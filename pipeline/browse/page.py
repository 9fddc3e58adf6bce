"""The page of chosen clips: their frames, their keyframes' joints, and what their samples say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from dsn.skeleton import Skeleton
from pipeline.browse.clips import Shown, Variation
from pipeline.pages.pictures import Pose, data_uri, jpeg, sided
from pipeline.pages.template import fill
from pipeline.pages.tones import PLAIN, SIDES
from pipeline.shards.manifest import Manifest
from pipeline.shards.sample import ClipSample

QUALITY = 90
"""Of the frames in the page, as JPEG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One clip on the page."""

    sample: ClipSample
    frames: tuple[str, ...]
    """Data URIs."""
    size: tuple[int, int]
    """Height and width of the frames."""
    keyframe: int
    poses: dict[str, Pose]
    """By side."""
    labeled: int
    """Joints that are labelled and scored."""
    supervised: int
    """Those of them that are in the crop."""


def render(
    clips: Sequence[Shown], manifest: Manifest, *, variation: Variation | None, video: str, grids: Sequence[str]
) -> str:
    """The page as HTML.

    Args:
        clips: what is shown.
        manifest: where it is from.
        variation: how the clips were varied, if they were.
        video: name of the video beside the page.
        grids: names of the pictures beside the page.
    """
    values = {
        "cards": [card(clip, skeleton=manifest.skeleton) for clip in clips],
        "manifest": manifest,
        "variation": variation,
        "video": video,
        "grids": grids,
        "sides": SIDES,
        "tones": [*PLAIN, *SIDES.values()],
    }
    return fill(Path(__file__).with_name("page.html.j2"), values)


def card(clip: Shown, *, skeleton: Skeleton) -> Card:
    """A clip with its frames as they are encoded in the page."""
    images = (cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in clip.frames)
    return Card(
        sample=clip.sample,
        frames=tuple(data_uri(jpeg(image.astype("uint8"), quality=QUALITY)) for image in images),
        size=clip.frames.shape[1:3],
        keyframe=clip.keyframe,
        poses=sided(clip.points, clip.supervised, skeleton=skeleton),
        labeled=sum(clip.sample.keypoints[joint][2] > 0 for joint in skeleton.scored),
        supervised=int(clip.supervised.sum()),
    )
