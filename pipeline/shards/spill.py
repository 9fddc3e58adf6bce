"""The first phase of packing: one video's frames, each decoded once, become the records of all its samples."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int64

from pipeline.refusal import Refusal
from pipeline.shards.crop import Image, shrinking_warp
from pipeline.shards.recipe import Recipe
from pipeline.shards.record import RecordWriter
from pipeline.shards.sample import ClipSample, to_json
from pipeline.shards.video import Video, samples_of

Members = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """One video to be cropped. Paths are absolute: a worker's current folder is another."""

    number: int
    """Tells the result."""
    video: Video
    wanted: Int64[np.ndarray, " S"]
    """Positions of the samples among the video's people."""
    root: Path
    spill: Path
    """File to write."""
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Spilled:
    """What became of a video."""

    number: int
    spans: Int64[np.ndarray, "S 2"]
    """Where the record of each wanted sample begins, and the byte behind it."""
    digest: str
    """SHA-256 over the frames that were used, in order."""
    decoded: int
    """How often an image was decoded: once for each frame that any of the clips uses."""


@dataclass(slots=True, kw_only=True)
class _Frames:
    """The images of one video, and how many were decoded."""

    task: VideoTask
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    decoded: int = 0

    def decode(self, position: int) -> Image:
        """The image at a position, not turned as its EXIF data may ask for: the annotations are not."""
        path = self.task.root / self.task.video.files[position]
        data = path.read_bytes()
        self.digest.update(data)
        self.decoded += 1
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise Refusal(
                f"{path}: not an image that can be decoded, though its header can be read; replace or remove it, "
                "or set prepare.checks.decode to true, which sets such frames aside"
            )
        return image


def spill_video(task: VideoTask) -> Spilled:
    """Crop and encode the wanted samples of one video into one file of records.

    In memory at a time are one decoded frame, and the encoded crops of the clips that it belongs to.

    Raises:
        Refusal: a frame cannot be decoded.
    """
    cv2.setNumThreads(1)
    frames = _Frames(task=task)
    spans = np.zeros((len(task.wanted), 2), dtype=np.int64)
    with RecordWriter(task.spill) as writer:
        for number, sample, members in _cropped(task, frames):
            spans[number] = writer.write(sample.key, members)
    return Spilled(number=task.number, spans=spans, digest=frames.digest.hexdigest(), decoded=frames.decoded)


def _cropped(task: VideoTask, frames: _Frames) -> Iterator[tuple[int, ClipSample, Members]]:
    """Every sample with its number and members, as soon as the last of its frames was decoded."""
    users = defaultdict(list)
    for number, sample in enumerate(samples_of(task.video, task.wanted, task.recipe)):
        members: Members = {}
        for position in sorted(set(sample.frames_used)):
            users[position].append((number, sample, members))
    for position in sorted(users):
        image = frames.decode(position)
        for number, sample, members in users.pop(position):
            crop = _encode(shrinking_warp(image, sample.affine, size=task.recipe.stored_size), task.recipe)
            members |= {f"{t}.jpg": crop for t, used in enumerate(sample.frames_used) if used == position}
            if position == max(sample.frames_used):
                yield number, sample, members | {"json": to_json(sample)}


def _encode(crop: Image, recipe: Recipe) -> bytes:
    is_done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, recipe.shard.quality])
    assert is_done
    return bytes(data)
