"""What is written of a video: PoseTrack18's JSON, COCO's results, a CSV and an overlay, frame by frame.

Nothing is held until the end, so memory does not grow with the video; and each file is whole whenever writing stops.
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dsn.skeleton import Skeleton
from pipeline.inference.footage import Footage
from pipeline.inference.overlay import painted
from pipeline.inference.people import Pose, Posed
from pipeline.pages.video import VideoFile

Sink = Callable[[Posed], None]

POSETRACK18 = "posetrack18"
"""The folder of PoseTrack18's files below the outputs: `score --pred` reads it."""
PERSON = ("frame", "seconds", "state", "track_id", "bbox_score", "x1", "y1", "x2", "y2")


@contextmanager
def outputs(out: Path, footage: Footage, *, skeleton: Skeleton, with_overlay: bool) -> Iterator[Sink]:
    """Takes frames in their order, and writes everything about them below `out`."""
    (out / POSETRACK18).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(_posetrack18(out / POSETRACK18 / f"{footage.name}.json", footage, skeleton=skeleton)),
            stack.enter_context(_coco(out / f"{footage.name}.coco.json", footage, skeleton=skeleton)),
            stack.enter_context(_table(out / f"{footage.name}.csv", skeleton)),
        ]
        if with_overlay:
            video = stack.enter_context(closing(VideoFile(out / f"{footage.name}.mp4", fps=footage.fps)))
            sinks.append(lambda posed: video.write(painted(posed, skeleton)))

        def write(posed: Posed) -> None:
            for sink in sinks:
                sink(posed)

        yield write


@contextmanager
def _posetrack18(path: Path, footage: Footage, *, skeleton: Skeleton) -> Iterator[Sink]:
    """As the official evaluator reads it: every frame is in `images`, joints that are not scored are absent."""
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(skeleton.joints)}
    is_scored = np.isin(np.arange(len(skeleton.joints)), skeleton.scored)
    frames = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"categories": {json.dumps([category])},\n"annotations": [')
        separate = _separator(file.write)

        def write(posed: Posed) -> None:
            nonlocal frames
            frames = posed.frame.position + 1
            for pose in posed.poses:
                separate()
                image_id = footage.image_id(posed.frame.position)
                file.write(json.dumps(_annotation(pose, image_id, is_scored), allow_nan=False))

        try:
            yield write
        finally:
            file.write('\n],\n"images": [')
            separate = _separator(file.write)
            for position in range(frames):
                separate()
                file.write(json.dumps(_image(footage, position)))
            file.write("\n]}\n")


def _annotation(pose: Pose, image_id: int, is_scored: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    triples = np.column_stack([pose.keypoints, np.ones(len(pose.keypoints))])
    return {
        "image_id": image_id,
        "category_id": 1,
        "track_id": pose.track_id,
        "bbox": _xywh(pose),
        "keypoints": np.where(is_scored[:, None], triples, 0.0).round(2).ravel().tolist(),
        "scores": np.where(is_scored, pose.scores * pose.score, 0.0).round(6).tolist(),
    }


def _image(footage: Footage, position: int) -> dict[str, Any]:
    image_id = footage.image_id(position)
    return {"id": image_id, "frame_id": image_id, "file_name": footage.frame_name(position)}


@contextmanager
def _coco(path: Path, footage: Footage, *, skeleton: Skeleton) -> Iterator[Sink]:
    """COCO's list of results; a person's score is the bbox's times the mean of the joints that are scored."""
    is_scored = np.isin(np.arange(len(skeleton.joints)), skeleton.scored)
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        separate = _separator(file.write)

        def write(posed: Posed) -> None:
            for pose in posed.poses:
                separate()
                triples = np.column_stack([pose.keypoints, pose.scores])
                entry = {
                    "image_id": footage.image_id(posed.frame.position),
                    "category_id": 1,
                    "bbox": _xywh(pose),
                    "score": round(float(pose.score * pose.scores[is_scored].mean()), 6),
                    "keypoints": np.where(is_scored[:, None], triples, 0.0).round(6).ravel().tolist(),
                }
                file.write(json.dumps(entry, allow_nan=False))

        try:
            yield write
        finally:
            file.write("\n]\n")


@contextmanager
def _table(path: Path, skeleton: Skeleton) -> Iterator[Sink]:
    """A row a person; a frame with nobody, or that cannot be decoded, has a row without a person."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*PERSON, *(f"{joint}_{part}" for joint in skeleton.joints for part in ("x", "y", "score"))])

        def write(posed: Posed) -> None:
            state = "read" if posed.frame.is_readable else "unreadable"
            when = (posed.frame.position, round(posed.frame.seconds, 3), state)
            for pose in posed.poses:
                numbers = np.column_stack([pose.keypoints.round(2), pose.scores.round(6)]).ravel().tolist()
                box = [round(value, 2) for value in pose.bbox]
                rows.writerow([*when, pose.track_id, round(pose.score, 4), *box, *numbers])
            if not posed.poses:
                rows.writerow(when)

        yield write


def _xywh(pose: Pose) -> list[float]:
    x1, y1, x2, y2 = pose.bbox
    return [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]


def _separator(write: Callable[[str], object]) -> Callable[[], None]:
    """Writes what stands before an entry of a list: a comma before all but the first."""
    is_first = True

    def separate() -> None:
        nonlocal is_first
        write("\n" if is_first else ",\n")
        is_first = False

    return separate
