"""An index of any size: random people in videos of 100 frames, written as Parquet, a few videos at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int64

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK
from pipeline.artifacts import write_json
from pipeline.posetrack.tables import FRAMES, VIDEOS, people_schema

VIDEO_FRAMES = 100
PEOPLE_PER_FRAME = 6
VAL_SHARE = 0.2
BATCH = 200
"""Videos in memory at a time."""


def write_large_index(folder: Path, *, people: int) -> int:
    """Write an index of about so many people; how many there are."""
    folder.mkdir(parents=True)
    videos = max(10, people // (VIDEO_FRAMES * PEOPLE_PER_FRAME))
    schemas = {"videos": VIDEOS, "frames": FRAMES, "people": people_schema(len(POSETRACK.joints))}
    writers = {name: pq.ParquetWriter(folder / f"{name}.parquet", schema) for name, schema in schemas.items()}
    for numbers in _batches(videos):
        for name, columns in _tables(numbers, is_val=numbers >= (1 - VAL_SHARE) * videos).items():
            writers[name].write_table(_table(columns, schemas[name]))
    for writer in writers.values():
        writer.close()
    write_json(folder / "skeleton.json", skeletons.to_dict(POSETRACK))
    return videos * VIDEO_FRAMES * PEOPLE_PER_FRAME


def _batches(videos: int) -> Iterator[Int64[np.ndarray, " V"]]:
    for first in range(0, videos, BATCH):
        yield np.arange(first, min(first + BATCH, videos))


def _tables(numbers: Int64[np.ndarray, " V"], *, is_val: Bool[np.ndarray, " V"]) -> dict[str, dict[str, Any]]:
    """Columns of the rows of some videos; a tenth of the training videos is in select."""
    names = np.array([f"{number:06d}_drawn" for number in numbers])
    official = np.where(is_val, "val", "train")
    split = np.where(~is_val & (numbers % 10 == 0), "select", official)
    size = {"height": 720, "width": 1280}
    videos = {"video": names, "split": official, "frames": VIDEO_FRAMES, "labeled_frames": VIDEO_FRAMES, **size}
    frame = np.tile(np.arange(VIDEO_FRAMES), len(numbers))
    video = np.repeat(np.arange(len(numbers)), VIDEO_FRAMES)
    ids = 10_000_000_000 + 10_000 * numbers[video] + frame
    files = [f"images/{name}/{position:06d}.jpg" for name, position in zip(names[video], frame, strict=True)]
    frames = {
        "video": names[video], "frame": frame, "frame_id": ids, "file": files, "is_labeled": True,
        "split": split[video], **size,
    }  # fmt: skip
    rows = np.repeat(np.arange(len(frame)), PEOPLE_PER_FRAME)
    person = np.tile(np.arange(PEOPLE_PER_FRAME), len(frame))
    people = {
        "video": names[video[rows]], "frame": frame[rows], "frame_id": ids[rows],
        "person": person, "track_id": person, "person_id": person, **_places(numbers, rows=len(rows)),
    }  # fmt: skip
    return {"videos": videos, "frames": frames, "people": people}


def _places(numbers: Int64[np.ndarray, " V"], *, rows: int) -> dict[str, pa.Array]:
    """Bboxes and keypoints at random; one person in twenty has no labelled joint."""
    rng = np.random.default_rng(int(numbers[0]))
    corner = rng.uniform(0, 600, (rows, 2)).astype(np.float32)
    bbox = np.concatenate([corner, corner + rng.uniform(20, 200, (rows, 2)).astype(np.float32)], axis=1)
    joints = len(POSETRACK.joints)
    keypoints = rng.uniform(0, 800, (rows, joints, 3)).astype(np.float32)
    keypoints[..., 2] = rng.random((rows, 1)) > 0.05
    lists: dict[str, np.ndarray] = {"bbox": bbox, "head_bbox": bbox, "keypoints": keypoints.reshape(rows, 3 * joints)}
    lists["occluded"] = rng.random((rows, joints)) < 0.2
    return {key: pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1]) for key, values in lists.items()}


def _table(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """The columns as a table: a single value stands in every row, and what is not drawn is missing."""
    rows = len(columns["video"])
    values = [columns.get(name) for name in schema.names]
    filled = [value if isinstance(value, np.ndarray | pa.Array | list) else [value] * rows for value in values]
    return pa.table(
        [pa.array(value, type=kind) for value, kind in zip(filled, schema.types, strict=True)], schema=schema
    )
