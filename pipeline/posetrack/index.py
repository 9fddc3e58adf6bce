"""The index: a dataset as three typed tables, written as Parquet.

`videos.parquet`, `frames.parquet` and `people.parquet` hold what the schemas of `tables` say; beside them stand
`skeleton.json`, `checks.json` and `truth/val/*.json`, the ground truth as the official evaluator reads it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dsn import skeleton as skeletons
from dsn.skeleton import Skeleton
from pipeline.artifacts import BoxSource, read_json, resolved, write_json
from pipeline.posetrack.annotations import Split
from pipeline.posetrack.boxes import BoxesConfig, read_boxes
from pipeline.posetrack.checks import CheckConfig, Kept, sift
from pipeline.posetrack.findings import refuse_blocked, report
from pipeline.posetrack.sources import Source, find_source, read_videos, write_truth
from pipeline.posetrack.splits import assign_splits
from pipeline.posetrack.tables import FRAMES, VIDEOS, frame_table, people_schema, people_table, video_table
from pipeline.refusal import Refusal

BOXES = "boxes.json"
"""What the index says about a file of detected boxes, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where the dataset is (section `data`)."""

    root: Path
    """Folder of a dataset in any format that `sources` knows, relative to the project's root or absolute."""
    boxes: BoxesConfig | None
    """Whom val is evaluated on besides: null evaluates on the annotated people's own bboxes."""

    def __post_init__(self) -> None:
        """Refuse a root that would end the quotes around it in the commands of dvc.yaml."""
        if "'" in str(self.root):
            raise ValueError(f"root: got {self.root}, wanted a path without ' in it: rename the folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """How a dataset is split and checked (section `prepare`)."""

    select_share: float
    """Share of the training videos that is held out for choosing models."""
    window: int
    """Frames that a clip spans; as many lie between train and select where both come from one video."""
    seed: int
    """Decides which training videos are held out."""
    checks: CheckConfig
    """What is bad, what is odd, and how much of it stops the stage."""

    def __post_init__(self) -> None:
        """Refuse shares that are none, and windows without a keyframe."""
        if not 0 < self.select_share < 1:
            raise ValueError(f"select_share: got {self.select_share}, wanted more than 0 and less than 1")
        if self.window < 1:
            raise ValueError(f"window: got {self.window}, wanted at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A dataset as tables. `frame` is a position in the video's own list of frames."""

    videos: pd.DataFrame
    """video, split (official), frames, labeled_frames, height, width."""
    frames: pd.DataFrame
    """video, frame, frame_id, file (below the root), is_labeled, split (train, select, val, gap), height, width."""
    people: pd.DataFrame
    """video, frame, frame_id, person (position within the frame), track_id, person_id (Int64: may be missing),
    bbox, head_bbox, keypoints, occluded (of each joint; None where it is not known), score (of those detected, who have
    no keypoints; NaN for those annotated)."""
    skeleton: Skeleton
    boxes: BoxSource | None = None
    """Where the detected people of val come from, if there are any: val is then evaluated on them alone."""


def prepare(root: Path, out: Path, config: PrepareConfig, *, boxes: BoxesConfig | None = None) -> None:
    """Index the dataset at `root` into the folder `out`, with detected people of val if there is a file of boxes.

    Raises:
        Refusal: the dataset or the boxes are missing or malformed, or too much of the dataset is bad.
    """
    index, checks = build_index(root, config)
    refuse_blocked(checks, root=root)
    if boxes is not None:
        index, checks["boxes"] = add_detected(index, root, boxes)
    write_index(index, out)
    write_json(out / "checks.json", checks)
    write_truth(find_source(root), out / "truth" / "val")


def build_index(root: Path, config: PrepareConfig) -> tuple[Index, dict[str, Any]]:
    """Read every annotation file below `root`; the tables, and what checks.json is to hold.

    Raises:
        Refusal: a file or the dataset as a whole is of no format that is known.
    """
    source = find_source(root)
    kept = [item for split in ("train", "val") for item in _read_split(source, split, config.checks)]
    _refuse_repeats(kept)
    frames = frame_table(kept)
    split, holdout = assign_splits(frames, share=config.select_share, window=config.window, seed=config.seed)
    frames["split"] = split
    index = Index(videos=video_table(kept), frames=frames, people=people_table(kept), skeleton=source.skeleton)
    checks = report(kept, root, config.checks, frames=frames, people=index.people, skeleton=source.skeleton)
    told = {"format": source.format, "holdout": asdict(holdout), "config": resolved(prepare=config)}
    return index, checks | told


def add_detected(index: Index, root: Path, config: BoxesConfig) -> tuple[Index, dict[str, Any]]:
    """The index with detected people of val behind those annotated, and what checks.json says about them.

    Raises:
        Refusal: the file of boxes is missing, malformed, or of another dataset.
    """
    detected = read_boxes(config, root, frames=index.frames, skeleton=index.skeleton)
    people = pd.concat([index.people, detected.people], ignore_index=True)
    people["person"] = people.groupby(["video", "frame"], sort=False).cumcount()
    told = {**asdict(detected.source), "counts": detected.counts}
    return replace(index, people=people, boxes=detected.source), told


def write_index(index: Index, folder: Path) -> None:
    """Write the tables and the skeleton; `read_index` is the inverse."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = {"videos": VIDEOS, "frames": FRAMES, "people": people_schema(len(index.skeleton.joints))}
    for name, schema in schemas.items():
        table = pa.Table.from_pandas(getattr(index, name), schema=schema, preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet")
    write_json(folder / "skeleton.json", skeletons.to_dict(index.skeleton))
    (folder / BOXES).unlink(missing_ok=True)
    if index.boxes is not None:
        write_json(folder / BOXES, asdict(index.boxes))


def read_index(folder: Path) -> Index:
    """Read what `write_index` wrote.

    Raises:
        Refusal: the folder holds no index.
    """
    if not (folder / "people.parquet").is_file():
        raise Refusal(f"{folder}: got no index, wanted videos, frames and people as .parquet; run stage prepare")
    tables = {name: _read_table(folder / f"{name}.parquet") for name in ("videos", "frames", "people")}
    boxes = BoxSource(**read_json(folder / BOXES)) if (folder / BOXES).is_file() else None
    return Index(**tables, skeleton=skeletons.from_dict(read_json(folder / "skeleton.json")), boxes=boxes)


def _read_table(path: Path) -> pd.DataFrame:
    """A table whose columns of lists stay in Arrow's buffers: as an array for each row they need twice the memory."""
    table = pq.read_table(path, pre_buffer=False)  # which would hold the compressed file as well
    return table.to_pandas(types_mapper=_list_type, split_blocks=True, self_destruct=True)  # type: ignore[no-any-return]


def _list_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    return pd.ArrowDtype(kind) if pa.types.is_fixed_size_list(kind) else None


def _read_split(source: Source, split: Split, config: CheckConfig) -> list[Kept]:
    return [sift(video, source.root, config) for video in read_videos(source, split)]


def _refuse_repeats(kept: Sequence[Kept]) -> None:
    """A video in both splits would train on what it is measured by."""
    names = [item.video.name for item in kept]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refusal(f"videos {twice} are in train and in val; wanted every video in one of them")
