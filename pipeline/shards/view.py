"""A stored sample as a clip of input crops: varied at random for training, as it is for evaluation."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from dsn.skeleton import Skeleton
from pipeline.shards.augment import AugmentConfig, cover, draw_view, flip_order, recolor
from pipeline.shards.batch import Clip
from pipeline.shards.crop import Affine, Image, compose, inverse, region, transform, upright, warp
from pipeline.shards.sample import ClipSample

Load = Callable[[], list[Image]]
"""Decodes a sample's stored crops, one for each of the wanted times."""


def training_clip(
    sample: ClipSample,
    load: Load,
    *,
    times: Sequence[int],
    augment: AugmentConfig,
    rng_of: Callable[..., np.random.Generator],
    skeleton: Skeleton,
    input_size: tuple[int, int],
) -> Clip:
    """The clip at the wanted times, under the one random transform that `rng_of(key=...)` draws for its sample."""
    rng = rng_of(key=sample.key)
    view = draw_view(sample, augment, rng, skeleton=skeleton, input_size=input_size)
    channels = flip_order(skeleton) if view.is_flipped else list(range(len(skeleton.joints)))
    clip = _cropped(
        sample, load(), to_source=view.to_source, input_size=input_size, skeleton=skeleton, channels=channels
    )
    is_keyframe = [sample.frames_used[time] == sample.frame for time in times]
    recolor(clip.frames, augment, rng)
    cover(clip.frames, augment, rng, is_keyframe=is_keyframe)
    return clip


def evaluation_clip(
    sample: ClipSample,
    load: Load,
    *,
    times: Sequence[int],  # noqa: ARG001  (both kinds of view are called alike)
    skeleton: Skeleton,
    input_size: tuple[int, int],
    bbox: Literal["keyframe", "neighbour"],
) -> Clip | None:
    """The clip cropped by one of its bboxes; None, and nothing decoded, where it has no such bbox."""
    chosen = sample.bbox if bbox == "keyframe" else sample.neighbour_bbox
    if chosen is None:
        return None
    to_source = upright(region(chosen, size=input_size), size=input_size)
    channels = list(range(len(skeleton.joints)))
    return _cropped(sample, load(), to_source=to_source, input_size=input_size, skeleton=skeleton, channels=channels)


def _cropped(
    sample: ClipSample,
    stored: Sequence[Image],
    *,
    to_source: Affine,
    input_size: tuple[int, int],
    skeleton: Skeleton,
    channels: list[int],
) -> Clip:
    to_stored = compose(inverse(sample.affine), to_source)
    table = np.array(sample.keypoints)[channels]
    points = transform(table[:, :2], inverse(to_source))
    return Clip(
        sample=sample,
        frames=np.stack([warp(image, to_stored, size=input_size) for image in stored]),
        keypoints=points,
        visible=_is_supervised(points, is_labeled=table[:, 2] > 0, input_size=input_size, skeleton=skeleton),
        to_source=to_source,
    )


def _is_supervised(
    points: Float[np.ndarray, "K 2"],
    *,
    is_labeled: Bool[np.ndarray, " K"],
    input_size: tuple[int, int],
    skeleton: Skeleton,
) -> Bool[np.ndarray, " K"]:
    """Labelled, scored, and inside the crop."""
    is_scored = np.zeros(len(points), dtype=bool)
    is_scored[list(skeleton.scored)] = True
    is_inside = ((points >= 0) & (points <= (input_size[1] - 1, input_size[0] - 1))).all(axis=1)
    return np.asarray(is_labeled & is_scored & is_inside, dtype=bool)
