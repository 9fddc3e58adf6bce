"""The first phase of packing: one video's frames, each decoded once, become the records of all its samples."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pipeline.refusal import Refusal
from pipeline.shards.crop import Image, shrinking_warp
from pipeline.shards.plan import samples_of
from pipeline.shards.recipe import Recipe
from pipeline.shards.record import RecordWriter
from pipeline.shards.sample import ClipSample, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """One video to be cropped. Paths are absolute: a worker's current folder is another."""

    video: str
    frames: pd.DataFrame
    """The video's rows of the index."""
    people: pd.DataFrame
    """The video's rows of the index."""
    wanted: pd.DataFrame
    """`frame` and `person` of the samples."""
    root: Path
    spill: Path
    """File to write."""
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes of a file: one record."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spilled:
    """What became of a video."""

    video: str
    pieces: dict[tuple[int, int], Piece]
    """The record of each (frame, person)."""
    digest: str
    """SHA-256 over the frames that were used, in order."""


def spill_video(task: VideoTask) -> Spilled:
    """Crop and encode the wanted samples of one video into one file of records.

    Raises:
        Refusal: a frame cannot be decoded.
    """
    cv2.setNumThreads(1)
    digest = hashlib.sha256()
    pieces = {}
    with RecordWriter(task.spill) as writer:
        for sample, members in _cropped(task, digest):
            start, stop = writer.write(sample.key, members)
            pieces[sample.frame, sample.person] = Piece(path=task.spill, start=start, stop=stop)
    return Spilled(video=task.video, pieces=pieces, digest=digest.hexdigest())


def _cropped(task: VideoTask, digest: "hashlib._Hash") -> Iterator[tuple[ClipSample, dict[str, bytes]]]:
    """Every sample with its members, as soon as the last of its frames was decoded."""
    users = defaultdict(list)
    for sample in samples_of(task.frames, task.people, wanted=task.wanted, recipe=task.recipe):
        members = {"json": to_json(sample)}
        for position in sorted(set(sample.frames_used)):
            users[position].append((sample, members))
    files = dict(zip(task.frames["frame"], task.frames["file"], strict=True))
    for position in sorted(users):
        image = _decode(task.root / files[position], digest)
        for sample, members in users[position]:
            crop = _encode(shrinking_warp(image, sample.affine, size=task.recipe.stored_size), task.recipe)
            members |= {f"{t}.jpg": crop for t, used in enumerate(sample.frames_used) if used == position}
            if position == max(sample.frames_used):
                yield sample, members
        del users[position]


def _decode(path: Path, digest: "hashlib._Hash") -> Image:
    data = path.read_bytes()
    digest.update(data)
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise Refusal(f"{path}: not an image that can be decoded, though its header can be read; replace or remove it")
    return image


def _encode(crop: Image, recipe: Recipe) -> bytes:
    is_done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, recipe.shard.quality])
    assert is_done
    return bytes(data)
