"""PoseTrack18 JSON as arrays: joints go by name, a keypoint is absent where all three of its numbers are 0."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.columns import Columns, content, given, lengths
from pipeline.evaluation.people import JOINTS, People, head_sizes, ragged
from pipeline.evaluation.video import MISSING_SCORE, Video, refuse, refuse_unless_finite
from pipeline.refusal import Refusal

NAMES = tuple("head_bottom" if joint == "neck" else joint for joint in JOINTS)
"""The evaluated joints under the names that PoseTrack18 files give them."""


def to_video(path: Path, columns: Columns) -> Video:
    """The file's content as arrays.

    A duplicated image id repeats its first entry, as in the official evaluator.

    Raises:
        Refusal: an annotation belongs to no image, a list has another length than the category's keypoints, a number
            is not finite, or the file holds several videos (the official evaluator would silently use the first).
    """
    names = _keypoint_names(path, columns.categories)
    ids = columns.images.field("id").to_numpy()
    known, first, of_frame = np.unique(ids, return_index=True, return_inverse=True)
    images = columns.images if len(known) == len(ids) else columns.images.take(pa.array(first[of_frame]))
    _refuse_several_videos(path, images)
    source = _Source(path=path, annotations=columns.annotations, names=names)
    rows, entries = _rows(source, known, of_frame=of_frame)
    return Video(
        path=path,
        frames=tuple(map(str, ids.tolist())),
        frame_ids=tuple(ids.tolist()),
        entries=entries,
        people=_people(source, rows, frame=np.repeat(np.arange(len(ids)), entries)),
        regions=_regions(images),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where people are read from: the annotations, and the file that holds them."""

    path: Path
    annotations: Any
    names: list[str]

    def image_ids(self) -> Int64[np.ndarray, " n"]:
        ids: Int64[np.ndarray, " n"] = self.annotations.field("image_id").to_numpy()
        return ids

    def refuse(self, row: int, *, field: str, problem: str) -> NoReturn:
        refuse(self.path, self.frame_of(row), field=field, problem=problem)

    def frame_of(self, row: int) -> str:
        return str(self.image_ids()[row])


def _keypoint_names(path: Path, categories: Any) -> list[str]:
    got = categories.field("name").to_pylist()
    if got != ["person"]:
        raise Refusal(f"{path}: categories: got {got}, wanted exactly one, named `person`")
    names: list[str] = categories.field("keypoints").to_pylist()[0]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise Refusal(f"{path}: categories[0].keypoints: got {repeated} more than once, wanted every name once")
    absent = sorted(set(NAMES) - set(names))
    if len(names) not in (15, 17) or absent:
        raise Refusal(
            f"{path}: categories[0].keypoints: got {len(names)} names without {absent}, "
            "wanted 15 or 17 with all evaluated joints"
        )
    return names


def _refuse_several_videos(path: Path, images: Any) -> None:
    """The folder's leading token names the video."""
    folders = {name.rpartition("/")[0] for name in images.field("file_name").to_pylist()}
    videos = sorted({folder.rpartition("/")[2].split("_")[0] for folder in folders})
    if len(videos) > 1:
        raise Refusal(
            f"{path}: images: got frames of {len(videos)} videos ({', '.join(videos[:3])}), wanted one video a file"
        )


def _rows(
    source: _Source, known: Int64[np.ndarray, " i"], *, of_frame: Int64[np.ndarray, " f"]
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " f"]]:
    """Rows of the annotations frame by frame, and how many each frame has; `known` are the ids, in order."""
    ids = source.image_ids()
    number = np.searchsorted(known, ids)
    unknown = np.flatnonzero(~np.isin(ids, known))
    if len(unknown):
        row = int(unknown[0])
        source.refuse(row, field=f"annotations[{row}].image_id", problem="no entry of `images` has this id")
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number, minlength=len(known))
    starts = np.cumsum(counts) - counts
    return order[ragged(starts[of_frame], counts[of_frame])], counts[of_frame]


def _people(source: _Source, rows: Int64[np.ndarray, " n"], *, frame: Int64[np.ndarray, " n"]) -> People:
    columns = [source.names.index(name) for name in NAMES]
    triples = _keypoints(source)[rows[:, None], columns]
    return People(
        frame=frame,
        keypoints=triples[..., :2],
        present=(triples[..., 0] != 0) | (triples[..., 1] != 0) | (triples[..., 2] != 0),
        scores=_scores(source)[rows[:, None], columns],
        head_size=_head_sizes(source)[rows],
        track_id=source.annotations.field("track_id").to_numpy()[rows],
        is_tracked=np.ones(len(rows), dtype=np.bool_),
        has_points=np.ones(len(rows), dtype=np.bool_),
    )


def _keypoints(source: _Source) -> Float64[np.ndarray, "n joints 3"]:
    joints = len(source.names)
    wanted = f"{3 * joints} (x, y, v of {joints} joints)"
    lists = source.annotations.field("keypoints")
    table = _table(source, "keypoints", lists, width=3 * joints, wanted=f"numbers, wanted {wanted}")
    return table.reshape(-1, joints, 3)


def _scores(source: _Source) -> Float64[np.ndarray, "n joints"]:
    """A missing list and an empty one give each joint `MISSING_SCORE`."""
    joints = len(source.names)
    lists = source.annotations.field("scores")
    has_scores = lengths(lists) > 0
    scores = np.full((len(lists), joints), MISSING_SCORE)
    wanted = f"values, wanted one for each of {joints} joints"
    scores[has_scores] = _table(source, "scores", lists, width=joints, wanted=wanted, rows=has_scores)
    return scores


def _head_sizes(source: _Source) -> Float64[np.ndarray, " n"]:
    """NaN without a head box."""
    lists = source.annotations.field("bbox_head")
    has_head = given(lists)
    xywh = _table(source, "bbox_head", lists, width=4, wanted="numbers, wanted x, y, width, height", rows=has_head)
    sizes = np.full(len(lists), np.nan)
    sizes[has_head] = head_sizes(np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1))
    return sizes


def _table(
    source: _Source, field: str, lists: Any, *, width: int, wanted: str, rows: Bool[np.ndarray, " n"] | None = None
) -> Float64[np.ndarray, "m _"]:
    """The lists of the people of `rows` (all, by default), of whom the others have none; refuses another length."""
    people = np.arange(len(lists)) if rows is None else np.flatnonzero(rows)
    counts = lengths(lists)
    wrong = np.flatnonzero(counts[people] != width)
    if len(wrong):
        row = int(people[wrong[0]])
        source.refuse(row, field=field, problem=f"got {counts[row]} {wanted}")
    table: Float64[np.ndarray, "m _"] = content(lists).to_numpy().reshape(-1, width)
    refuse_unless_finite(table, source.path, frame_of=lambda row: source.frame_of(int(people[row])), field=field)
    return table


def _regions(images: Any) -> dict[int, list[Float64[np.ndarray, "_ 2"]]]:
    """The polygons of each frame that has any; both lists are cut to the shorter one, as the official zip does."""
    x, y = (images.field(f"ignore_regions_{axis}") for axis in ("x", "y"))
    positions = np.flatnonzero((lengths(x) > 0) & (lengths(y) > 0)).tolist()
    return {
        position: [
            np.array(list(zip(*outline, strict=False)), dtype=np.float64).reshape(-1, 2)
            for outline in zip(x[position].as_py(), y[position].as_py(), strict=False)
        ]
        for position in positions
    }
