"""Predictions as PoseTrack18 files, which the official evaluator and its server read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsn.skeleton import Skeleton
from pipeline.artifacts import write_text
from pipeline.evaluation.loading import annotation_files
from pipeline.evaluation.schema import Document, read_document


def write_predictions(table: pd.DataFrame, truth_folder: Path, *, out_folder: Path, skeleton: Skeleton) -> None:
    """Write one file for every ground-truth file, with the same list of images; a video without predictions gets none.

    Joints that are not scored are written as absent (0, 0, 0), all others as present, with their scores.

    Args:
        table: one row a person, with `video` (the ground-truth file's stem), `frame` (position in its list of frames),
            `track_id`, `keypoints` (2K: x, y in pixels) and `scores` (K).
        truth_folder: PoseTrack17 or PoseTrack18 files.
        out_folder: where files of the same names go.
        skeleton: names the joints in the order of `keypoints`.

    Raises:
        ValueError: a row belongs to no ground-truth file or frame, or holds a number that is not finite.
    """
    files = {file.stem: file for file in annotation_files(truth_folder)}
    rows = {str(video): group.to_dict("records") for video, group in table.groupby("video")}
    unknown = sorted(set(rows) - set(files))
    if unknown:
        raise ValueError(
            f"video: got predictions for {unknown[0]}, wanted one of the {len(files)} videos of {truth_folder}"
        )
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(skeleton.joints)}
    for video, file in files.items():
        images = _images(read_document(file))
        annotations = [_annotation(row, images, skeleton=skeleton) for row in rows.get(video, [])]
        content = {"images": images, "annotations": annotations, "categories": [category]}
        write_text(out_folder / file.name, json.dumps(content, allow_nan=False))


def _images(document: Document) -> list[dict[str, Any]]:
    """The frames of a ground-truth file; PoseTrack17's get their positions as ids."""
    if document.annolist is not None:
        names = [frame.image[0].name if frame.image else "" for frame in document.annolist]
        return [{"id": position, "file_name": name} for position, name in enumerate(names)]
    return [{"id": image.id, "frame_id": image.id, "file_name": image.file_name} for image in document.images or []]


def _annotation(row: dict[Any, Any], images: list[dict[str, Any]], *, skeleton: Skeleton) -> dict[str, Any]:
    count = len(skeleton.joints)
    if not 0 <= row["frame"] < len(images):
        raise ValueError(f"{row['video']}: frame: got {row['frame']}, wanted 0 to {len(images) - 1}")
    is_scored = np.isin(np.arange(count), skeleton.scored)
    points = np.column_stack([np.asarray(row["keypoints"], dtype=np.float64).reshape(count, 2), np.ones(count)])
    return {
        "image_id": images[row["frame"]]["id"],
        "category_id": 1,
        "track_id": int(row["track_id"]),
        "keypoints": np.where(is_scored[:, None], points, 0.0).ravel().tolist(),
        "scores": np.where(is_scored, np.asarray(row["scores"], dtype=np.float64), 0.0).tolist(),
    }
