"""The tables of the index: their columns, and how videos become rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.posetrack.checks import Kept

VIDEOS = pa.schema(
    [
        ("video", pa.string()),
        ("split", pa.string()),
        ("frames", pa.int64()),
        ("labeled_frames", pa.int64()),
        ("height", pa.int64()),
        ("width", pa.int64()),
    ]
)
FRAMES = pa.schema(
    [
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("frame_id", pa.int64()),
        ("file", pa.string()),
        ("is_labeled", pa.bool_()),
        ("split", pa.string()),
        ("height", pa.int64()),
        ("width", pa.int64()),
    ]
)


def people_schema(joints: int) -> pa.Schema:
    """Columns of `people.parquet`: bboxes are x1, y1, x2, y2; keypoints are x, y, v of every joint in one list."""
    return pa.schema(
        [
            ("video", pa.string()),
            ("frame", pa.int64()),
            ("frame_id", pa.int64()),
            ("person", pa.int64()),
            ("track_id", pa.int64()),
            ("person_id", pa.int64()),
            ("bbox", pa.list_(pa.float32(), 4)),
            ("head_bbox", pa.list_(pa.float32(), 4)),
            ("keypoints", pa.list_(pa.float32(), 3 * joints)),
            ("occluded", pa.list_(pa.bool_(), joints)),
            ("score", pa.float64()),
        ]
    )


def video_table(kept: Sequence[Kept]) -> pd.DataFrame:
    """One row a video of which a frame remains."""
    rows = [
        {
            "video": item.video.name,
            "split": item.video.split,
            "frames": len(item.frames),
            "labeled_frames": sum(frame.is_labeled for _, frame, _ in item.frames),
            "height": item.frames[0][2][0],
            "width": item.frames[0][2][1],
        }
        for item in kept
        if item.frames
    ]
    return pd.DataFrame(rows, columns=VIDEOS.names)


def frame_table(kept: Sequence[Kept]) -> pd.DataFrame:
    """One row a frame, with its video's official split."""
    rows = [
        {
            "video": item.video.name,
            "frame": position,
            "frame_id": frame.frame_id,
            "file": frame.file,
            "is_labeled": frame.is_labeled,
            "split": item.video.split,
            "height": size[0],
            "width": size[1],
        }
        for item in kept
        for position, frame, size in item.frames
    ]
    return pd.DataFrame(rows, columns=FRAMES.names)


def people_table(kept: Sequence[Kept]) -> pd.DataFrame:
    """Rows in order of video, frame and the file's own order of people, which numbers them."""
    entries = [
        (item.video.name, position, person)
        for item in kept
        for position, person in sorted(item.people, key=lambda pair: pair[0])
    ]
    rows = [
        {
            "video": video,
            "frame": position,
            "frame_id": person.frame_id,
            "track_id": person.track_id,
            "bbox": np.array(person.bbox, dtype=np.float32),
            "head_bbox": np.array(person.head_bbox or [np.nan] * 4, dtype=np.float32),
            "keypoints": person.keypoints.astype(np.float32).ravel(),
            "occluded": person.occluded,
            "score": np.nan,
        }
        for video, position, person in entries
    ]
    names = [name for name in people_schema(0).names if name not in {"person", "person_id"}]
    people = pd.DataFrame(rows, columns=names)
    people.insert(3, "person", people.groupby(["video", "frame"], sort=False).cumcount())
    # By itself pandas would make floats of ids beside missing ones, and lose digits of the long ones.
    people.insert(5, "person_id", pd.Series([person.person_id for _, _, person in entries], dtype="Int64"))
    return people
