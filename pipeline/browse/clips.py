"""Clips chosen out of a split's shards, made by the very code that makes those of training and evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from pipeline.refusal import Refusal
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.manifest import Manifest
from pipeline.shards.order import Places, evaluation_places
from pipeline.shards.records import RecordReader, Records, records_of
from pipeline.shards.sample import ClipSample
from pipeline.shards.source import Source
from pipeline.shards.store import Folder
from pipeline.shards.view import Plan, evaluation_views, training_views


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which clips."""

    keys: tuple[str, ...]
    """These samples, in this order; or none to draw some."""
    number: int
    """How many are drawn where no keys are given, at most."""
    seed: int
    """Decides which are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How training varies its clips: with the same numbers the same clips."""

    augment: AugmentConfig
    seed: int
    """That of the training."""
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A clip as the network gets it."""

    sample: ClipSample
    frames: UInt8[np.ndarray, "T H W 3"]
    """RGB, in order of time."""
    keyframe: int
    """Which of them is the keyframe."""
    points: Float64[np.ndarray, "K 2"]
    """At the keyframe, in pixels of the crop."""
    supervised: Bool[np.ndarray, " K"]
    """Labelled, scored and inside the crop."""


def read_clips(folder: Folder, manifest: Manifest, choice: Choice, *, variation: Variation | None) -> Iterator[Shown]:
    """The chosen clips, cropped by the keyframe's bbox, as they are for evaluation or varied as they are for training.

    Raises:
        Refusal: a key is in no shard, a shard is missing, or a record is damaged.
    """
    records = records_of(manifest, folder)
    source = Source(
        records=records,
        places=_places(records, manifest, choice),
        batch_size=1,
        input_size=manifest.recipe.input_size,
        times=tuple(range(len(manifest.clip))),
        plan=_plan(manifest, variation),
        spares=None,
    )
    for made in source.read():
        clip = made.clips[0]
        yield Shown(
            sample=clip.sample,
            frames=made.frames[0],
            keyframe=manifest.keyframe,
            points=clip.keypoints,
            supervised=clip.visible,
        )


def _plan(manifest: Manifest, variation: Variation | None) -> Plan:
    size = manifest.recipe.input_size
    if variation is None:
        return evaluation_views(manifest, bbox="keyframe", input_size=size)
    times = range(len(manifest.clip))
    return training_views(
        manifest, variation.augment, seed=variation.seed, epoch=variation.epoch, input_size=size, times=times
    )


def _places(records: Records, manifest: Manifest, choice: Choice) -> Places:
    every = evaluation_places(manifest, rank=0, world=1)
    if not choice.keys:
        return np.random.default_rng(choice.seed).permutation(every)[: choice.number]
    return np.array(_find(records, every, choice.keys), dtype=np.int64)


def _find(records: Records, every: Places, keys: Sequence[str]) -> list[tuple[int, int]]:
    """Where the samples with some keys are; reads a few bytes of each record until all are found."""
    found: dict[str, tuple[int, int]] = {}
    with RecordReader(records) as reader:
        for shard, place in every.tolist():
            key = reader.key(shard, place)
            if key is not None and key in keys:
                found[key] = (shard, place)
            if len(found) == len(set(keys)):
                break
    missing = [key for key in keys if key not in found]
    if missing:
        raise Refusal(
            f"{records.folder}: got no sample {missing[0]}, wanted a key such as {_first(records)} of one of its "
            f"{len(every)} samples"
        )
    return [found[key] for key in keys]


def _first(records: Records) -> str | None:
    with RecordReader(records) as reader:
        return reader.key(0, 0)
