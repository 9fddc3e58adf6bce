"""A stored sample as a clip of input crops: varied at random for training, as it is for evaluation."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dsn.skeleton import Skeleton
from pipeline.shards.augment import AugmentConfig, Tint, cover, draw_tint, draw_view, flip_order, tint
from pipeline.shards.batch import Clip
from pipeline.shards.crop import Affine, Image, compose, inverse, region, transform, upright, warp_into
from pipeline.shards.sample import ClipSample

Frames = UInt8[np.ndarray, "T H W 3"]
Decode = Callable[[int], Image]
"""Gives the stored crop at one of a clip's times."""

NEARLY = 1e-4
"""Pixels by which a crop may lie beside whole pixels and still be copied: its grey levels come out the same."""


def training_clip(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    augment: AugmentConfig,
    rng_of: Callable[..., np.random.Generator],
    skeleton: Skeleton,
) -> Clip:
    """Draw the wanted times into `frames` under one random transform, which `rng_of(key=...)` draws for the sample."""
    rng = rng_of(key=sample.key)
    view = draw_view(sample, augment, rng, skeleton=skeleton, input_size=_size(frames))
    drawn = draw_tint(augment, rng)
    _draw(sample, frames, decode=decode, times=times, to_source=view.to_source, drawn=drawn)
    is_keyframe = [sample.frames_used[time] == sample.frame for time in times]
    cover(frames, augment, rng, is_keyframe=is_keyframe)
    channels = flip_order(skeleton) if view.is_flipped else list(range(len(skeleton.joints)))
    return _clip(sample, to_source=view.to_source, input_size=_size(frames), skeleton=skeleton, channels=channels)


def evaluation_clip(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    skeleton: Skeleton,
    bbox: Literal["keyframe", "neighbour", "detected"],
) -> Clip | None:
    """Draw the wanted times into `frames`, cropped by a bbox; None, and nothing drawn, where there is no such bbox."""
    detected = None if sample.score is None else sample.bbox
    chosen = {"keyframe": sample.bbox, "neighbour": sample.neighbour_bbox, "detected": detected}[bbox]
    if chosen is None:
        return None
    size = _size(frames)
    to_source = upright(region(chosen, size=size), size=size)
    _draw(sample, frames, decode=decode, times=times, to_source=to_source, drawn=None)
    channels = list(range(len(skeleton.joints)))
    return _clip(sample, to_source=to_source, input_size=size, skeleton=skeleton, channels=channels)


def _size(frames: Frames) -> tuple[int, int]:
    return frames.shape[1], frames.shape[2]


def _draw(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    to_source: Affine,
    drawn: Tint | None,
) -> None:
    """Crop the wanted times in the colours drawn; a frame that stands in for others is decoded once."""
    to_stored = compose(inverse(sample.affine), to_source)
    used = [sample.frames_used[time] for time in times]
    for row, time in enumerate(times):
        first = used.index(used[row])
        if first < row:
            frames[row] = frames[first]
        else:
            draw_crop(frames[row], decode(time), affine=to_stored)
            if drawn is not None:
                tint(frames[row], drawn)


def draw_crop(crop: Image, image: Image, *, affine: Affine) -> None:
    """Draw into `crop` what `image` shows at the affine of its pixels; whole pixels are copied, which is the same."""
    height, width = crop.shape[:2]
    left, top = round(float(affine[0, 2])), round(float(affine[1, 2]))
    beside = np.abs(affine - ((1, 0, left), (0, 1, top))) * (width, height, 1)
    is_inside = 0 <= left <= image.shape[1] - width and 0 <= top <= image.shape[0] - height
    if is_inside and beside.max() < NEARLY:
        crop[:] = image[top : top + height, left : left + width]
    else:
        warp_into(crop, image, affine=affine)


def _clip(
    sample: ClipSample, *, to_source: Affine, input_size: tuple[int, int], skeleton: Skeleton, channels: list[int]
) -> Clip:
    table = np.array(sample.keypoints)[channels]
    points = transform(table[:, :2], inverse(to_source))
    return Clip(
        sample=sample,
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
