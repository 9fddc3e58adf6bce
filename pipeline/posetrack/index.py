"""The index: a PoseTrack dataset as three typed tables, written as Parquet.

`videos.parquet`, `frames.parquet` and `people.parquet` hold what their schemas below say; beside them stand
`skeleton.json`, `checks.json` and `truth/val/*.json`, the official ground truth byte for byte.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK, Skeleton
from pipeline.artifacts import read_json, write_json
from pipeline.posetrack.annotations import Split, annotation_files, read_video
from pipeline.posetrack.checks import Kept, refuse_beyond, report, sift
from pipeline.posetrack.splits import assign_splits
from pipeline.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where the dataset is (section `data`)."""

    root: Path
    """Folder of a PoseTrack18 dataset, relative to the project's root or absolute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """How a dataset is split and how much may be wrong with it (section `prepare`)."""

    select_share: float
    """Share of the training videos that is held out for choosing models."""
    window: int
    """Frames that a clip spans; as many lie between train and select where both come from one video."""
    seed: int
    """Decides which training videos are held out."""
    max_bad_share: float
    """Share of bad frames, or of bad people, above which the stage refuses."""

    def __post_init__(self) -> None:
        """Refuse shares that are none, and windows without a keyframe."""
        if not 0 < self.select_share < 1:
            raise ValueError(f"select_share: got {self.select_share}, wanted more than 0 and less than 1")
        if self.window < 1:
            raise ValueError(f"window: got {self.window}, wanted at least 1")
        if not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"max_bad_share: got {self.max_bad_share}, wanted 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A dataset as tables. `frame` is a position in the video's own list of frames."""

    videos: pd.DataFrame
    """video, split (official), frames, labeled_frames, height, width."""
    frames: pd.DataFrame
    """video, frame, frame_id, file (below the root), is_labeled, split (train, select, val, gap), height, width."""
    people: pd.DataFrame
    """video, frame, frame_id, person (position within the frame), track_id, bbox, head_bbox, keypoints."""
    skeleton: Skeleton


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
            ("bbox", pa.list_(pa.float32(), 4)),
            ("head_bbox", pa.list_(pa.float32(), 4)),
            ("keypoints", pa.list_(pa.float32(), 3 * joints)),
        ]
    )


def prepare(root: Path, out: Path, config: PrepareConfig) -> None:
    """Index the dataset at `root` into the folder `out`.

    Raises:
        Refusal: the dataset is missing or malformed, or too much of it is bad.
    """
    index, checks = build_index(root, config)
    refuse_beyond(config.max_bad_share, checks, root=root)
    write_index(index, out)
    write_json(out / "checks.json", checks)
    copy_truth(root, out)


def build_index(root: Path, config: PrepareConfig) -> tuple[Index, dict[str, Any]]:
    """Read every annotation file below `root`; the tables, and what checks.json is to hold.

    Raises:
        Refusal: a file or the dataset as a whole is not what PoseTrack18 looks like.
    """
    kept = [item for split in ("train", "val") for item in _read_split(root, split)]
    _refuse_repeats(kept)
    frames = _frame_table(kept)
    split, holdout = assign_splits(frames, share=config.select_share, window=config.window, seed=config.seed)
    frames["split"] = split
    index = Index(videos=_video_table(kept), frames=frames, people=_people_table(kept), skeleton=POSETRACK)
    checks = report(kept, frames=frames, people=index.people, skeleton=POSETRACK)
    return index, {**checks, "holdout": asdict(holdout)}


def write_index(index: Index, folder: Path) -> None:
    """Write the tables and the skeleton; `read_index` is the inverse."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = {"videos": VIDEOS, "frames": FRAMES, "people": people_schema(len(index.skeleton.joints))}
    for name, schema in schemas.items():
        table = pa.Table.from_pandas(getattr(index, name), schema=schema, preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet")
    write_json(folder / "skeleton.json", skeletons.to_dict(index.skeleton))


def read_index(folder: Path) -> Index:
    """Read what `write_index` wrote.

    Raises:
        Refusal: the folder holds no index.
    """
    if not (folder / "people.parquet").is_file():
        raise Refusal(f"{folder}: got no index, wanted videos, frames and people as .parquet; run stage prepare")
    tables = {name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("videos", "frames", "people")}
    return Index(**tables, skeleton=skeletons.from_dict(read_json(folder / "skeleton.json")))


def copy_truth(root: Path, out: Path) -> None:
    """Copy the official ground truth of val, byte for byte, for the official evaluator."""
    folder = out / "truth" / "val"
    folder.mkdir(parents=True, exist_ok=True)
    for path in annotation_files(root, "val"):
        shutil.copyfile(path, folder / path.name)


def _read_split(root: Path, split: Split) -> list[Kept]:
    return [sift(read_video(path, split=split, skeleton=POSETRACK), root) for path in annotation_files(root, split)]


def _refuse_repeats(kept: Sequence[Kept]) -> None:
    """A video in both splits would train on what it is measured by."""
    names = [item.video.name for item in kept]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refusal(f"videos {twice} are in train and in val; wanted every video in one of them")


def _video_table(kept: Sequence[Kept]) -> pd.DataFrame:
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


def _frame_table(kept: Sequence[Kept]) -> pd.DataFrame:
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


def _people_table(kept: Sequence[Kept]) -> pd.DataFrame:
    """Rows in order of video, frame and the file's own order of people, which numbers them."""
    rows = [
        {
            "video": item.video.name,
            "frame": position,
            "frame_id": person.frame_id,
            "track_id": person.track_id,
            "bbox": np.array(person.bbox, dtype=np.float32),
            "head_bbox": np.array(person.head_bbox or [np.nan] * 4, dtype=np.float32),
            "keypoints": person.keypoints.astype(np.float32).ravel(),
        }
        for item in kept
        for position, person in sorted(item.people, key=lambda pair: pair[0])
    ]
    people = pd.DataFrame(rows, columns=[name for name in people_schema(0).names if name != "person"])
    people.insert(3, "person", people.groupby(["video", "frame"], sort=False).cumcount())
    return people
