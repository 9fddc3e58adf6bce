"""Folders of PoseTrack files, video by video; section 2 of the protocol."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.evaluation import posetrack17, posetrack18
from pipeline.evaluation.columns import read_columns
from pipeline.evaluation.video import Video, refuse
from pipeline.refusal import Refusal


def read_video(path: Path) -> Video:
    """Read a PoseTrack17 file (it has `annolist`) or else a PoseTrack18 file.

    Raises:
        Refusal: the file is missing or malformed; the message names file, frame and field.
    """
    columns = read_columns(path)
    if columns.annolist is not None:
        return posetrack17.to_video(path, columns.annolist)
    absent = [key for key in ("images", "annotations", "categories") if getattr(columns, key) is None]
    if absent:
        raise Refusal(
            f"{path}: {', '.join(absent)}: missing; wanted PoseTrack18's three lists, or PoseTrack17's `annolist`"
        )
    return posetrack18.to_video(path, columns)


def annotation_files(folder: Path) -> list[Path]:
    """The JSON files of a folder in the order of their names; refuses a folder that holds none."""
    files = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not files:
        state = "holds no *.json file" if folder.is_dir() else "is no folder"
        raise Refusal(f"{folder}: {state}; wanted one PoseTrack file a video")
    return files


def read_pairs(truth: Path, prediction: Path) -> Iterator[tuple[Video, Video]]:
    """Every ground-truth file with the prediction file of the same name, one pair in memory at a time.

    Prediction files without ground truth are passed over.

    Raises:
        Refusal: a file is missing or malformed, or the two do not fit each other.
    """
    files = annotation_files(truth)
    annotation_files(prediction)
    absent = [file.name for file in files if not (prediction / file.name).is_file()]
    if absent:
        raise Refusal(
            f"{prediction / absent[0]}: no such file; wanted predictions for each of {len(files)} videos of {truth}"
        )
    for file in files:
        pair = (read_video(file), read_video(prediction / file.name))
        refuse_misfit(*pair)
        yield pair


def refuse_misfit(truth: Video, prediction: Video) -> None:
    """Refuse predictions that the protocol, which aligns frames by position, would score against other frames."""
    wanted, got = len(truth.frames), len(prediction.frames)
    if wanted != got:
        raise Refusal(f"{prediction.path}: images: got {got} frames, wanted the {wanted} of {truth.path}")
    _refuse_another_order(truth, prediction)
    _refuse_repeated_tracks(prediction)


def _refuse_another_order(truth: Video, prediction: Video) -> None:
    """PoseTrack18's frames are known by id, PoseTrack17's by name, which are not compared with each other."""
    if bool(truth.frame_ids) != bool(prediction.frame_ids):
        return
    known = set(truth.frames)
    for position, (expected, found) in enumerate(zip(truth.frames, prediction.frames, strict=True)):
        if expected != found and found in known:
            field = f"images[{position}].id" if truth.frame_ids else f"annolist[{position}].image[0].name"
            problem = f"{found} stands where the ground truth has {expected}; frames are aligned by position"
            refuse(prediction.path, found, field=field, problem=problem)


def _refuse_repeated_tracks(video: Video) -> None:
    people = video.people
    keys = np.stack([people.frame, people.track_id], axis=1)[people.is_tracked]
    keys = keys[np.lexsort((keys[:, 1], keys[:, 0]))]
    repeated = np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1))
    if len(repeated):
        frame, track = keys[repeated[0]]
        refuse(video.path, video.frames[frame], field="track_id", problem=f"got {track} for two people, wanted it once")
