"""What crops that stay cost in AP, and save in backbone passes, on the videos of val.

Every frame of a video is a keyframe, as in a running one; bboxes are the ground truth's, between two labelled frames
linear in time. The rival, `own`, makes a crop of each keyframe's own bbox, as published methods do: all frames of its
window go through the backbone anew. The others keep regions by `pipeline.inference.steady`. All see the same images,
cropped from the source frames, and are scored by the official evaluator on the labelled frames.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from dsn import checkpoint
from dsn.checkpoint import Loaded
from dsn.network import DSN
from dsn.pixels import normalize
from dsn.streaming import Runner
from pipeline.evaluation.evaluate import Truth, score_table
from pipeline.evaluation.predict import locate
from pipeline.inference.steady import SteadyConfig, steady_region
from pipeline.posetrack.index import Index, read_index
from pipeline.refusal import Refusal
from pipeline.shards.crop import Image, Region, region, shrinking_warp, upright
from pipeline.shards.sample import Bbox
from pipeline.shards.video import Video, video_of

RULES: dict[str, SteadyConfig | None] = {
    "own": None,
    "margin 1.15, zoom 1.1, shift 0.03": SteadyConfig(margin=1.15, zoom=1.1, shift=0.03),
    "margin 1.05, zoom 1.25, shift 0.03": SteadyConfig(margin=1.05, zoom=1.25, shift=0.03),
    "margin 1.05, zoom 1.25, shift 0.05": SteadyConfig(margin=1.05, zoom=1.25, shift=0.05),
    "margin 1.05, zoom 1.25, shift 0.1": SteadyConfig(margin=1.05, zoom=1.25, shift=0.1),
    "margin 1.05, zoom 1.25, any shift": SteadyConfig(margin=1.05, zoom=1.25, shift=0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of one video under one rule."""

    rows: list[dict[str, Any]]
    """Poses at labelled frames, as a prediction table has them."""
    keyframes: int
    """People read, over all frames."""
    passes: int
    """Crops that went through the backbone."""


def main(model: Path, *, index: Path, root: Path, videos: int | None) -> None:
    """Print one line of JSON.

    Raises:
        Refusal: the model has but one stream, or a video misses frames.
    """
    loaded, table = checkpoint.load(model), read_index(index)
    if not isinstance(loaded.network, DSN):
        raise Refusal(f"{model}: got a single-frame network, wanted a dual-stream one")
    found = {}
    for name, rule in RULES.items():
        read = [_read(video, loaded, root=root, rule=rule) for video in _videos(table, videos)]
        keyframes = sum(one.keyframes for one in read)
        found[name] = {
            "ap": _ap([row for one in read for row in one.rows], index=index, table=table),
            "passes_per_keyframe": round(sum(one.passes for one in read) / keyframes, 3),
        }
    costs = {name: round(found["own"]["ap"] - found[name]["ap"], 2) for name in found}
    told = {"benchmark": "stable_crops", "people_in_frames": keyframes, "rules": found, "ap_cost": costs}
    print(json.dumps(told))


def _videos(table: Index, count: int | None) -> Iterator[Video]:
    names = sorted(table.frames.loc[table.frames["split"] == "val", "video"].unique())[:count]
    for name in names:
        frames, people = (rows[rows["video"] == name] for rows in (table.frames, table.people))
        video = video_of(frames, people[people["score"].isna()], name=name)
        if list(video.files) != list(range(len(video.files))):
            raise Refusal(f"{name}: got {len(video.files)} frames with gaps, wanted a video without")
        yield video


def _read(video: Video, loaded: Loaded, *, root: Path, rule: SteadyConfig | None) -> Read:
    """Run one video from its first frame to its last."""
    assert isinstance(loaded.network, DSN)
    config, tracks = loaded.config, _tracks(video)
    offsets, size = config.clip.offsets, config.input_size
    image = lru_cache(maxsize=max(0, *offsets) - min(0, *offsets) + 2)(partial(_image, video, root=root))
    runner = Runner[int, Region](
        loaded.network, offsets=offsets, pixels=lambda at, where: _crop(image(at), where, size=size), only_final=True
    )
    crops: dict[int, Region] = {}
    rows: list[dict[str, Any]] = []
    keyframes = 0
    for frame in video.files:
        bboxes = {person: bboxes[frame] for person, bboxes in tracks.items() if frame in bboxes}
        if not bboxes:
            continue
        crops = {person: _region(crops.get(person), bbox, size=size, rule=rule) for person, bbox in bboxes.items()}
        maps = runner.read(frame, crops=crops, first=0, last=len(video.files) - 1).final
        affines = torch.tensor(np.stack([upright(where, size=size) for where in crops.values()]))
        poses = locate(maps, affines, model=config)
        keyframes += len(crops)
        rows += _rows(video, frame, dict(zip(crops, zip(poses.keypoints, poses.scores, strict=True), strict=True)))
    return Read(rows=rows, keyframes=keyframes, passes=runner.encoded)


def _tracks(video: Video) -> dict[int, dict[int, Bbox]]:
    """By track, the bbox at each frame from its first labelled frame to its last."""
    found: dict[int, dict[int, Bbox]] = {}
    for track in sorted({*video.track_id.tolist()}):
        rows = np.flatnonzero(video.track_id == track)
        rows = rows[np.argsort(video.frame[rows])]
        between = np.arange(video.frame[rows[0]], video.frame[rows[-1]] + 1)
        corners = np.stack([np.interp(between, video.frame[rows], video.bbox[rows, side]) for side in range(4)], axis=1)
        found[track] = {
            frame: (x1, y1, x2, y2) for frame, (x1, y1, x2, y2) in zip(between.tolist(), corners.tolist(), strict=True)
        }
    return found


def _region(kept: Region | None, bbox: Bbox, *, size: tuple[int, int], rule: SteadyConfig | None) -> Region:
    return region(bbox, size=size) if rule is None else steady_region(kept, bbox, size=size, config=rule)


def _image(video: Video, frame: int, *, root: Path) -> Image:
    found = cv2.imread(str(root / video.files[frame]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        raise Refusal(f"{root / video.files[frame]}: not an image that can be decoded")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB))


def _crop(image: Image, where: Region, *, size: tuple[int, int]) -> Float[Tensor, "3 H W"]:
    pixels = shrinking_warp(image, upright(where, size=size), size=size)
    return normalize(torch.from_numpy(pixels).permute(2, 0, 1))


def _rows(video: Video, frame: int, poses: Mapping[int, tuple[Any, Any]]) -> list[dict[str, Any]]:
    """Of those people of a frame who are annotated there."""
    found = []
    for row in np.flatnonzero(video.frame == frame):
        track = int(video.track_id[row])
        keypoints, scores = poses[track]
        who = {"person": int(video.person[row]), "track_id": track, "frame_id": int(video.frame_id[row])}
        found.append({"video": video.name, "frame": frame, **who, "keypoints": keypoints.ravel(), "scores": scores})
    return found


def _ap(rows: list[dict[str, Any]], *, index: Path, table: Index) -> float:
    """The official mean AP. Videos that were not read count as missed, so it is low where few were."""
    truth = Truth(folder=index / "truth" / "val", index=table)
    with tempfile.TemporaryDirectory() as folder:
        score = score_table(pd.DataFrame(rows), truth, out=Path(folder), name="final")
    return round(float(score["ap"]["Total"]), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("train/model"))
    parser.add_argument("--index", type=Path, default=Path("data/index"))
    parser.add_argument("--root", type=Path, default=Path("data/drawn"))
    parser.add_argument("--videos", type=int, help="of val; all where it is not given")
    given = parser.parse_args()
    main(given.model, index=given.index, root=given.root, videos=given.videos)
