"""Tables of predictions scored without going through files, by video, so that videos can be drawn again and again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dsn.skeleton import Skeleton
from pipeline.evaluation.ap import ScoredJoints, scored_joints
from pipeline.evaluation.filtering import keep_evaluated
from pipeline.evaluation.loading import read_video
from pipeline.evaluation.matching import match
from pipeline.evaluation.people import JOINTS, People, take
from pipeline.evaluation.posetrack18 import NAMES
from pipeline.evaluation.video import Video


def read_truth(folder: Path, people: pd.DataFrame) -> list[Video]:
    """The ground truth of `people` alone: of each of their videos, and in it only the frames where somebody is left.

    Args:
        folder: PoseTrack files, named as the videos.
        people: one row a person, with `video`, `frame` (position in the file's list) and `track_id`.

    Raises:
        Refusal: a video has no file, or its file is malformed.
        ValueError: somebody is not in the file.
    """
    videos = people.sort_values("video").groupby("video")
    return [_reduced(read_video(folder / f"{name}.json"), rows) for name, rows in videos]


def _reduced(video: Video, rows: pd.DataFrame) -> Video:
    wanted = set(zip(rows["frame"].tolist(), rows["track_id"].tolist(), strict=True))
    found = list(zip(video.people.frame.tolist(), video.people.track_id.tolist(), strict=True))
    absent = sorted(wanted - set(found))
    if absent:
        raise ValueError(f"{video.path}: got nobody of (frame, track_id) {absent[0]}, wanted everyone evaluated")
    people = take(video.people, np.array([name in wanted for name in found], dtype=np.bool_))
    return replace(video, people=people, entries=np.bincount(people.frame, minlength=len(video.frames)))


def score_videos(truth: Sequence[Video], table: pd.DataFrame, *, skeleton: Skeleton) -> list[ScoredJoints]:
    """What each video of `truth` adds to the official AP for a table of predictions (see `predict.table`)."""
    rows = {str(video): group for video, group in table.groupby("video")}
    scored = []
    for video in truth:
        evaluated = keep_evaluated(video, as_video(rows.get(video.path.stem, table[:0]), video, skeleton=skeleton))
        scored.append(scored_joints(evaluated, match(evaluated)))
    return scored


def as_video(table: pd.DataFrame, truth: Video, *, skeleton: Skeleton) -> Video:
    """One video's predictions as they would be read from a file with the frames of `truth`."""
    rows = table.sort_values("frame", kind="stable")
    count, joints = len(rows), len(skeleton.joints)
    columns = [skeleton.joints.index(name) for name in NAMES]
    keypoints = np.array(rows["keypoints"].tolist(), dtype=np.float64).reshape(count, joints, 2)
    frame = rows["frame"].to_numpy(dtype=np.int64)
    people = People(
        frame=frame,
        keypoints=keypoints[:, columns],
        present=np.ones((count, len(JOINTS)), dtype=np.bool_),
        scores=np.array(rows["scores"].tolist(), dtype=np.float64).reshape(count, joints)[:, columns],
        head_size=np.full(count, np.nan),
        track_id=rows["track_id"].to_numpy(dtype=np.int64),
        is_tracked=np.ones(count, dtype=np.bool_),
        has_points=np.ones(count, dtype=np.bool_),
    )
    entries = np.bincount(frame, minlength=len(truth.frames))
    return replace(truth, people=people, entries=entries, regions={})
