"""Clips on which an exported network is compared: drawn for the purpose, or out of shards."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from dsn.config import ModelConfig
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.scene import Scene, build_scene
from pipeline.drawn.video import load_film, picture
from pipeline.posetrack.annotations import Bbox
from pipeline.refusal import Refusal
from pipeline.shards.crop import region, shrinking_warp, upright
from pipeline.shards.reader import evaluation_batches
from pipeline.shards.store import Folder

Clips = UInt8[Tensor, "B T 3 H W"]
"""RGB crops in order of time."""


def drawn_clips(model: ModelConfig, *, number: int, seed: int, config: DrawConfig) -> Clips:
    """Clips of people in videos that are drawn as section `draw` says, each as long as the network's window."""
    clips = islice(_drawn(model, seed=seed, config=config), number)
    return torch.from_numpy(np.stack(list(clips))).permute(0, 1, 4, 2, 3)


def clips_of_shards(folder: Folder, model: ModelConfig, *, number: int) -> Clips:
    """The first clips of a split.

    Raises:
        Refusal: the shards are missing, or hold clips of another length.
    """
    batch = next(evaluation_batches(folder, input_size=model.input_size, batch_size=number), None)
    if batch is None:
        raise Refusal(f"{folder}: got no clips, wanted at least one to compare on")
    wanted = 1 + len(model.clip.offsets)
    if batch.frames.shape[1] != wanted:
        raise Refusal(f"{folder}: got clips of {batch.frames.shape[1]} frames, wanted the model's {wanted}")
    return batch.frames


def _drawn(model: ModelConfig, *, seed: int, config: DrawConfig) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
    """Everybody in one video after the other."""
    times = sorted({0, *model.clip.offsets})
    frames = times[-1] - times[0] + 1
    for video in count():
        rng = np.random.default_rng([seed, video])
        people = config.people[0]
        scene = build_scene(
            frames, first_number=video * people, people=people, config=replace(config, crowd=0.0), rng=rng
        )
        film = load_film(config.size, rng)
        pictures = [picture(scene, time - times[0], config=config, film=film) for time in times]
        for person in range(people):
            where = region(_bbox(scene, person, frame=-times[0]), size=model.input_size)
            affine = upright(where, size=model.input_size)
            crops = [shrinking_warp(image, affine, size=model.input_size) for image in pictures]
            yield np.stack([np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), dtype=np.uint8) for crop in crops])


def _bbox(scene: Scene, person: int, *, frame: int) -> Bbox:
    """The extent of somebody's keypoints; joints that PoseTrack does not label are NaN."""
    points = scene.tracks[person].keypoints[frame]
    (x1, y1), (x2, y2) = np.nanmin(points, axis=0).tolist(), np.nanmax(points, axis=0).tolist()
    return x1, y1, x2, y2
