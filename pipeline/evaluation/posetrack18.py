"""PoseTrack18 JSON as arrays: joints go by name, a keypoint is absent where all three of its numbers are 0."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dsn.skeleton import Skeleton
from pipeline.evaluation.people import JOINTS, People, head_sizes, ragged
from pipeline.evaluation.schema import Annotation, Category, Image
from pipeline.evaluation.video import MISSING_SCORE, Video, refuse, refuse_unless_finite
from pipeline.refusal import Refusal

NAMES = tuple("head_bottom" if joint == "neck" else joint for joint in JOINTS)
"""The evaluated joints under the names that PoseTrack18 files give them."""


def is_evaluated(skeleton: Skeleton) -> bool:
    """Whether the official protocol applies: it wants all of these joints."""
    return set(NAMES) <= set(skeleton.joints)


def to_video(path: Path, images: list[Image], *, annotations: list[Annotation], categories: list[Category]) -> Video:
    """The file's content as arrays.

    A duplicated image id repeats its first entry, as in the official evaluator.

    Raises:
        Refusal: an annotation belongs to no image, a list has another length than the category's keypoints, a number
            is not finite, or the file holds several videos (the official evaluator would silently use the first).
    """
    names = _keypoint_names(path, categories)
    first = {image.id: position for position, image in reversed(list(enumerate(images)))}
    images = [images[first[image.id]] for image in images]
    _refuse_several_videos(path, images)
    _refuse_unknown_images(path, annotations, known=first)
    order, entries = _rows(images, annotations)
    annotations = [annotations[row] for row in order]
    frame = np.repeat(np.arange(len(images)), entries)
    return Video(
        path=path,
        frames=tuple(str(image.id) for image in images),
        frame_ids=tuple(image.id for image in images),
        entries=entries,
        people=_people(_Source(path=path, annotations=annotations, names=names), frame),
        regions={position: _regions(image) for position, image in enumerate(images) if _has_regions(image)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where people are read from: annotations in the order of frames, and the file that holds them."""

    path: Path
    annotations: list[Annotation]
    names: list[str]

    def frames(self) -> list[str]:
        return [str(annotation.image_id) for annotation in self.annotations]


def _keypoint_names(path: Path, categories: list[Category]) -> list[str]:
    if len(categories) != 1 or categories[0].name != "person":
        got = [category.name for category in categories]
        raise Refusal(f"{path}: categories: got {got}, wanted exactly one, named `person`")
    names = categories[0].keypoints
    absent = sorted(set(NAMES) - set(names))
    if len(names) not in (15, 17) or absent:
        raise Refusal(
            f"{path}: categories[0].keypoints: got {len(names)} names without {absent}, "
            "wanted 15 or 17 with all evaluated joints"
        )
    return names


def _refuse_several_videos(path: Path, images: list[Image]) -> None:
    """The folder's leading token names the video."""
    folders = {image.file_name.rpartition("/")[0] for image in images}
    videos = sorted({folder.rpartition("/")[2].split("_")[0] for folder in folders})
    if len(videos) > 1:
        raise Refusal(
            f"{path}: images: got frames of {len(videos)} videos ({', '.join(videos[:3])}), wanted one video a file"
        )


def _refuse_unknown_images(path: Path, annotations: list[Annotation], *, known: dict[int, int]) -> None:
    for position, annotation in enumerate(annotations):
        if annotation.image_id not in known:
            field = f"annotations[{position}].image_id"
            refuse(path, str(annotation.image_id), field=field, problem="no entry of `images` has this id")


def _rows(images: list[Image], annotations: list[Annotation]) -> tuple[list[int], Int64[np.ndarray, " f"]]:
    """Positions in `annotations` frame by frame, and how many each frame has."""
    number = {image.id: position for position, image in enumerate({image.id: image for image in images}.values())}
    of_annotation = np.array([number[annotation.image_id] for annotation in annotations], dtype=np.int64)
    of_frame = np.array([number[image.id] for image in images], dtype=np.int64)
    order = np.argsort(of_annotation, kind="stable")
    counts = np.bincount(of_annotation, minlength=len(number))
    starts = np.cumsum(counts) - counts
    return order[ragged(starts[of_frame], counts[of_frame])].tolist(), counts[of_frame]


def _people(source: _Source, frame: Int64[np.ndarray, " n"]) -> People:
    columns = [source.names.index(name) for name in NAMES]
    triples = _keypoints(source)[:, columns]
    present: Bool[np.ndarray, "n 15"] = (triples != 0).any(axis=2)
    count = len(frame)
    return People(
        frame=frame,
        keypoints=np.where(present[..., None], triples[..., :2], 0.0),
        present=present,
        scores=_scores(source)[:, columns],
        head_size=_head_sizes(source),
        track_id=np.array([annotation.track_id for annotation in source.annotations], dtype=np.int64),
        is_tracked=np.ones(count, dtype=np.bool_),
        has_points=np.ones(count, dtype=np.bool_),
    )


def _keypoints(source: _Source) -> Float64[np.ndarray, "n joints 3"]:
    wanted = 3 * len(source.names)
    for annotation in source.annotations:
        if len(annotation.keypoints) != wanted:
            problem = (
                f"got {len(annotation.keypoints)} numbers, wanted {wanted} (x, y, v of {len(source.names)} joints)"
            )
            refuse(source.path, str(annotation.image_id), field="keypoints", problem=problem)
    flat = np.array([annotation.keypoints for annotation in source.annotations], dtype=np.float64).reshape(-1, wanted)
    refuse_unless_finite(flat, source.path, frames=source.frames(), field="keypoints")
    return flat.reshape(-1, len(source.names), 3)


def _scores(source: _Source) -> Float64[np.ndarray, "n joints"]:
    wanted = len(source.names)
    missing = [MISSING_SCORE] * wanted
    rows = [annotation.scores or missing for annotation in source.annotations]
    for annotation, row in zip(source.annotations, rows, strict=True):
        if len(row) < wanted:
            problem = f"got {len(row)} values, wanted one for each of {wanted} joints"
            refuse(source.path, str(annotation.image_id), field="scores", problem=problem)
    scores = np.array([row[:wanted] for row in rows], dtype=np.float64).reshape(-1, wanted)
    refuse_unless_finite(scores, source.path, frames=source.frames(), field="scores")
    return scores


def _head_sizes(source: _Source) -> Float64[np.ndarray, " n"]:
    """NaN without a head box."""
    for annotation in source.annotations:
        if annotation.bbox_head is not None and len(annotation.bbox_head) != 4:
            problem = f"got {len(annotation.bbox_head)} numbers, wanted x, y, width, height"
            refuse(source.path, str(annotation.image_id), field="bbox_head", problem=problem)
    given = np.array([annotation.bbox_head is not None for annotation in source.annotations], dtype=np.bool_)
    xywh = np.array([annotation.bbox_head or [0.0] * 4 for annotation in source.annotations], dtype=np.float64).reshape(
        -1, 4
    )
    refuse_unless_finite(xywh, source.path, frames=source.frames(), field="bbox_head")
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    return np.where(given, head_sizes(corners), np.nan)


def _has_regions(image: Image) -> bool:
    return bool(image.ignore_regions_x and image.ignore_regions_y)


def _regions(image: Image) -> list[Float64[np.ndarray, "_ 2"]]:
    """Both lists are cut to the shorter one, as the official evaluator's zip does."""
    polygons = zip(image.ignore_regions_x or [], image.ignore_regions_y or [], strict=False)
    return [np.array(list(zip(x, y, strict=False)), dtype=np.float64).reshape(-1, 2) for x, y in polygons]
