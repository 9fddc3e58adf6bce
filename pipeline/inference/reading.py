"""Poses of many people in many keyframes at once, with one backbone pass for all windows that share a frame and a crop.

`dsn.streaming.Runner` does the same for one keyframe after the other; here several keyframes make one batch, and what
runs the network may be another engine than PyTorch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from dsn.codec import decode
from dsn.config import ModelConfig
from dsn.pixels import normalize
from dsn.streaming import supporting_frames
from pipeline.inference.engine import Engine
from pipeline.inference.people import Followed, Pose
from pipeline.shards.crop import Image, Region, shrinking_warp, transform, upright

T = TypeVar("T")
Key = tuple[int, Region, int]
"""A track, its region and a frame: whatever has the same is the same pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Somebody in a keyframe."""

    position: int
    who: Followed


class Reader:
    """Reads keyframes in the order of time, and keeps tokens for those that follow."""

    offsets: tuple[int, ...]
    """Of the supporting frames."""
    encoded: int
    """Crops that the engine encoded so far."""
    read_count: int
    """Poses read so far."""

    def __init__(self, engine: Engine, model: ModelConfig, *, batch: int) -> None:
        """Keep nothing yet.

        Args:
            engine: runs the network.
            model: what the network was built from.
            batch: most crops, and most people, that go through it at once.
        """
        self._engine, self._model, self._batch = engine, model, batch
        self.offsets = engine.offsets
        self._tokens: dict[Key, Float[Tensor, "..."]] = {}
        self.encoded = 0
        self.read_count = 0

    def read(self, wanted: Sequence[Wanted], images: Mapping[int, Image], *, last: int) -> list[Pose]:
        """The pose of each, in their order.

        Args:
            wanted: ordered by position; positions of following calls only rise.
            images: the frames of all windows, by position.
            last: the newest frame of the video that there is.
        """
        windows = [self._window(one, last=last) for one in wanted]
        needed = dict.fromkeys(key for window in windows for key in window)
        self._forget(needed, wanted)
        self._encode([key for key in needed if key not in self._tokens], images)
        poses: list[Pose] = []
        for some in _parts(list(zip(wanted, windows, strict=True)), self._batch):
            poses += self._answer([one for one, _ in some], [window for _, window in some])
        self.read_count += len(poses)
        return poses

    def _window(self, one: Wanted, *, last: int) -> list[Key]:
        """The keyframe's key, then those of the supporting frames."""
        frames = (one.position, *supporting_frames(one.position, offsets=self._engine.offsets, first=0, last=last))
        return [(one.who.track_id, one.who.region, frame) for frame in frames]

    def _forget(self, needed: Mapping[Key, None], wanted: Sequence[Wanted]) -> None:
        kept = {key for key in self._tokens if key in needed or self._may_serve(key, wanted)}
        self._tokens = {key: tokens for key, tokens in self._tokens.items() if key in kept}

    def _may_serve(self, key: Key, wanted: Sequence[Wanted]) -> bool:
        """Whether a later keyframe can need a token."""
        track, region, frame = key
        newest = max((one.position for one in wanted), default=-1)
        regions = {one.who.region for one in wanted if one.who.track_id == track}
        return region in regions and frame > newest + min((0, *self._engine.offsets))

    def _encode(self, keys: Sequence[Key], images: Mapping[int, Image]) -> None:
        size = self._model.input_size
        for some in _parts(keys, self._batch):
            crops = np.stack([crop(images[frame], region, size=size) for _, region, frame in some])
            tokens = self._engine.encode(normalize(torch.from_numpy(crops).permute(0, 3, 1, 2)))
            self._tokens.update(zip(some, tokens, strict=True))
            self.encoded += len(some)

    def _answer(self, wanted: Sequence[Wanted], windows: Sequence[Sequence[Key]]) -> list[Pose]:
        stacked = torch.stack([self._tokens[key] for window in windows for key in window])
        tokens = stacked.reshape(len(windows), len(windows[0]), *stacked.shape[1:])
        maps = self._engine.answer(tokens[:, 0], tokens[:, 1:]).float().cpu()
        points, scores = decode(maps, input_size=self._model.input_size, config=self._model.heatmap)
        return [
            _pose(one.who, points[row].double().numpy(), scores[row].double().numpy(), size=self._model.input_size)
            for row, one in enumerate(wanted)
        ]


def crop(image: Image, region: Region, *, size: tuple[int, int]) -> Image:
    """A region of a frame (blue, green, red) as the network sees it: red, green, blue."""
    pixels = shrinking_warp(image, upright(region, size=size), size=size)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _pose(
    who: Followed, points: Float64[np.ndarray, "K 2"], scores: Float64[np.ndarray, " K"], *, size: tuple[int, int]
) -> Pose:
    keypoints = transform(points, upright(who.region, size=size))
    return Pose(track_id=who.track_id, bbox=who.bbox, score=who.score, keypoints=keypoints, scores=scores)


def _parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
