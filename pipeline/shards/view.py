"""A stored sample as a clip of input crops: varied at random for training, as it is for evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from dsn.skeleton import Skeleton
from pipeline.shards.augment import AugmentConfig, Tint, cover, draw_tint, draw_view, flip_order, generator, tint
from pipeline.shards.batch import Clip
from pipeline.shards.crop import Affine, Image, compose, inverse, region, transform, upright
from pipeline.shards.manifest import Manifest
from pipeline.shards.sample import ClipSample
from pipeline.shards.window import cut, exact_window, snapped

Frames = UInt8[np.ndarray, "T H W 3"]
Decode = Callable[[int], Image]
"""Gives the stored crop at one of a clip's times."""


Bboxes = Literal["keyframe", "neighbour", "detected"]
Make = Callable[..., Clip | None]
"""`training_clip` or `evaluation_clip`, but for what differs from sample to sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What views need to know of a split, worked out once."""

    skeleton: Skeleton
    mirrored: Int64[np.ndarray, " K"]
    """For each channel of a mirrored clip the joint that it shows."""
    is_scored: Bool[np.ndarray, " K"]
    """Which joints are supervised, if they are labelled and inside the crop."""
    stored_size: tuple[int, int]
    """Height and width of the stored crops."""


def layout_of(manifest: Manifest) -> Layout:
    """The layout of a manifest's split."""
    skeleton = manifest.skeleton
    return Layout(
        skeleton=skeleton,
        mirrored=np.array(flip_order(skeleton), dtype=np.int64),
        is_scored=np.isin(np.arange(len(skeleton.joints)), skeleton.scored),
        stored_size=manifest.stored_size,
    )


def training_views(manifest: Manifest, augment: AugmentConfig, *, seed: int, epoch: int) -> Make:
    """What makes a split's clips as training sees them in one epoch."""
    return partial(
        training_clip, augment=augment, rng_of=partial(generator, seed, epoch=epoch), layout=layout_of(manifest)
    )


def evaluation_views(manifest: Manifest, *, bbox: Bboxes) -> Make:
    """What makes a split's clips as evaluation sees them."""
    return partial(evaluation_clip, layout=layout_of(manifest), bbox=bbox)


def training_clip(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    augment: AugmentConfig,
    rng_of: Callable[..., np.random.Generator],
    layout: Layout,
) -> Clip:
    """Draw the wanted times into `frames` under one random transform, which `rng_of(key=...)` draws for the sample.

    An upright view is moved to whole stored pixels, by half of one at most, so that it need not be warped.
    """
    rng = rng_of(key=sample.key)
    size = _size(frames)
    view = draw_view(sample, augment, rng, skeleton=layout.skeleton, input_size=size)
    to_stored = snapped(compose(inverse(sample.affine), view.to_source), size=size, image=layout.stored_size)
    drawn = draw_tint(augment, rng)
    _draw(sample, frames, decode=decode, times=times, to_stored=to_stored, layout=layout, drawn=drawn)
    is_keyframe = [sample.frames_used[time] == sample.frame for time in times]
    cover(frames, augment, rng, is_keyframe=is_keyframe)
    to_source = compose(sample.affine, to_stored)
    order = layout.mirrored if view.is_flipped else slice(None)
    return _clip(sample, np.array(sample.keypoints)[order], to_source=to_source, input_size=size, layout=layout)


def evaluation_clip(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    layout: Layout,
    bbox: Bboxes,
) -> Clip | None:
    """Draw the wanted times into `frames`, cropped by a bbox; None, and nothing drawn, where there is no such bbox."""
    detected = None if sample.score is None else sample.bbox
    chosen = {"keyframe": sample.bbox, "neighbour": sample.neighbour_bbox, "detected": detected}[bbox]
    if chosen is None:
        return None
    size = _size(frames)
    to_source = upright(region(chosen, size=size), size=size)
    to_stored = compose(inverse(sample.affine), to_source)
    _draw(sample, frames, decode=decode, times=times, to_stored=to_stored, layout=layout, drawn=None)
    return _clip(sample, np.array(sample.keypoints), to_source=to_source, input_size=size, layout=layout)


def _size(frames: Frames) -> tuple[int, int]:
    return frames.shape[1], frames.shape[2]


def _draw(
    sample: ClipSample,
    frames: Frames,
    *,
    decode: Decode,
    times: Sequence[int],
    to_stored: Affine,
    layout: Layout,
    drawn: Tint | None,
) -> None:
    """Crop the wanted times in the colours drawn; a frame that stands in for others is decoded once."""
    window = exact_window(to_stored, size=_size(frames), image=layout.stored_size)
    used = [sample.frames_used[time] for time in times]
    for row, time in enumerate(times):
        first = used.index(used[row])
        if first < row:
            frames[row] = frames[first]
            continue
        cut(frames[row], decode(time), affine=to_stored, window=window)
        if drawn is not None:
            tint(frames[row], drawn)


def _clip(
    sample: ClipSample,
    table: Float[np.ndarray, "K 3"],
    *,
    to_source: Affine,
    input_size: tuple[int, int],
    layout: Layout,
) -> Clip:
    """The clip of a sample whose keypoints are the rows of `table`, in the order of channels."""
    points = transform(table[:, :2], inverse(to_source))
    is_inside = ((points >= 0) & (points <= (input_size[1] - 1, input_size[0] - 1))).all(axis=1)
    return Clip(
        sample=sample,
        keypoints=points,
        visible=np.asarray((table[:, 2] > 0) & layout.is_scored & is_inside, dtype=bool),
        to_source=to_source,
    )
