"""A stored sample as a clip of input crops: varied at random for training, as it is for evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from dsn.skeleton import Skeleton
from pipeline.shards.augment import AugmentConfig, Tint, cover, draw_tint, draw_view, flip_order, generator, tint
from pipeline.shards.clip import Clip
from pipeline.shards.crop import Affine, Image, compose, inverse, region, transform, upright
from pipeline.shards.manifest import Manifest
from pipeline.shards.sample import ClipSample
from pipeline.shards.window import Window, cut, exact_window, snapped

Frames = UInt8[np.ndarray, "T H W 3"]
Decode = Callable[[int], Image]
"""Gives the stored crop at one of a clip's times."""


Bboxes = Literal["keyframe", "neighbour", "detected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A clip whose view is drawn and whose pixels are not yet: one after the other, both are faster than in turns."""

    clip: Clip
    to_stored: Affine
    """From input pixels to those of the stored crops."""
    window: Window | None
    """What the input is of the stored crops, if it is whole pixels of them."""
    drawn: Tint | None
    """Other colours, if they vary."""
    cover: Callable[[Frames], bool] | None
    """What comes over the frames at the end; tells whether it spoilt the keyframe."""


Plan = Callable[[ClipSample], Planned | None]


def training_views(
    manifest: Manifest,
    augment: AugmentConfig,
    *,
    seed: int,
    epoch: int,
    input_size: tuple[int, int],
    times: Sequence[int],
) -> Plan:
    """What plans a split's clips as training sees them in one epoch.

    Args:
        manifest: the split's.
        augment: how views vary.
        seed: with the epoch and a sample's key, decides its view.
        epoch: counts from 0.
        input_size: height and width of the crops.
        times: which of a clip's frames there will be.
    """
    layout = layout_of(manifest, input_size=input_size)
    rng_of = partial(generator, seed, epoch=epoch)
    return partial(_training_clip, layout=layout, augment=augment, rng_of=rng_of, times=tuple(times))


def evaluation_views(manifest: Manifest, *, bbox: Bboxes, input_size: tuple[int, int]) -> Plan:
    """What plans a split's clips as evaluation sees them: None for a sample that has no such bbox."""
    return partial(_evaluation_clip, layout=layout_of(manifest, input_size=input_size), bbox=bbox)


def draw(planned: Planned, frames: Frames, *, times: Sequence[int], decode: Decode) -> bool:
    """Draw a clip's pixels at some of its times into `frames`; a frame that stands in for others is decoded once.

    Returns:
        Whether the keyframe was spoilt.
    """
    used = [planned.clip.sample.frames_used[time] for time in times]
    for row, time in enumerate(times):
        first = used.index(used[row])
        if first < row:
            frames[row] = frames[first]
            continue
        cut(frames[row], decode(time), affine=planned.to_stored, window=planned.window)
        if planned.drawn is not None:
            tint(frames[row], planned.drawn)
    return False if planned.cover is None else planned.cover(frames)


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
    input_size: tuple[int, int]
    """Height and width of the input."""


def layout_of(manifest: Manifest, *, input_size: tuple[int, int]) -> Layout:
    """The layout of a manifest's split."""
    skeleton = manifest.skeleton
    return Layout(
        skeleton=skeleton,
        mirrored=np.array(flip_order(skeleton), dtype=np.int64),
        is_scored=np.isin(np.arange(len(skeleton.joints)), skeleton.scored),
        stored_size=manifest.stored_size,
        input_size=input_size,
    )


def _training_clip(
    sample: ClipSample,
    *,
    layout: Layout,
    augment: AugmentConfig,
    rng_of: Callable[..., np.random.Generator],
    times: tuple[int, ...],
) -> Planned:
    """One random transform for the whole clip, which `rng_of(key=...)` draws for the sample.

    An upright view is moved to whole stored pixels, by half of one at most, so that it need not be warped.
    """
    rng = rng_of(key=sample.key)
    view = draw_view(sample, augment, rng, skeleton=layout.skeleton, input_size=layout.input_size)
    drawn = draw_tint(augment, rng)
    to_stored = compose(inverse(sample.affine), view.to_source)
    to_stored, window = snapped(to_stored, size=layout.input_size, image=layout.stored_size)
    table = np.array(sample.keypoints)[layout.mirrored if view.is_flipped else slice(None)]
    is_keyframe = [sample.frames_used[time] == sample.frame for time in times]
    return Planned(
        clip=_clip(sample, table, to_source=compose(sample.affine, to_stored), layout=layout),
        to_stored=to_stored,
        window=window,
        drawn=drawn,
        cover=partial(cover, config=augment, rng=rng, is_keyframe=is_keyframe),
    )


def _evaluation_clip(sample: ClipSample, *, layout: Layout, bbox: Bboxes) -> Planned | None:
    detected = None if sample.score is None else sample.bbox
    chosen = {"keyframe": sample.bbox, "neighbour": sample.neighbour_bbox, "detected": detected}[bbox]
    if chosen is None:
        return None
    size = layout.input_size
    to_source = upright(region(chosen, size=size), size=size)
    to_stored = compose(inverse(sample.affine), to_source)
    return Planned(
        clip=_clip(sample, np.array(sample.keypoints), to_source=to_source, layout=layout),
        to_stored=to_stored,
        window=exact_window(to_stored, size=size, image=layout.stored_size),
        drawn=None,
        cover=None,
    )


def _clip(sample: ClipSample, table: Float[np.ndarray, "K 3"], *, to_source: Affine, layout: Layout) -> Clip:
    """The clip of a sample whose keypoints are the rows of `table`, in the order of channels."""
    points = transform(table[:, :2], inverse(to_source))
    height, width = layout.input_size
    is_inside = ((points >= 0) & (points <= (width - 1, height - 1))).all(axis=1)
    return Clip(
        sample=sample,
        keypoints=points,
        visible=np.asarray((table[:, 2] > 0) & layout.is_scored & is_inside, dtype=bool),
        to_source=to_source,
        is_spoilt=False,
    )
