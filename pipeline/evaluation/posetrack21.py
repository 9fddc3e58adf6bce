"""PoseTrack21's own AP: the official protocol with other frames, another sign of presence, and 0 where that has NaN.

After `PosemAP` and `PoseTrack` of the trackeval that PoseTrack21 ships. Heads, ignore regions, matching and the area
under the curve are the official evaluator's. Its code stops at a labelled frame that has no person left; here such
predictions are wrong, as its comment there means them to be.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from pipeline.evaluation.loading import read_pairs
from pipeline.evaluation.people import People
from pipeline.evaluation.poseval import evaluate
from pipeline.evaluation.schema import read_bytes
from pipeline.evaluation.video import Video, refuse
from pipeline.refusal import Refusal

OF_UNANNOTATED = 0.0
"""AP and recall of a joint that is nowhere annotated, so that it counts in the mean."""


def score_as_posetrack21(gt: Path, pred: Path) -> dict[str, Any]:
    """AP, precision and recall of a folder of predictions; the keys are those of `poseval.evaluate` without tracking.

    Raises:
        Refusal: a folder or file is missing or malformed, not of PoseTrack21's form, or no frame of `gt` is labelled.
    """
    pairs = (as_posetrack21(*pair) for pair in read_pairs(gt, pred))
    return evaluate(pairs, tracking=False, of_unannotated=OF_UNANNOTATED)


def as_posetrack21(truth: Video, prediction: Video) -> tuple[Video, Video]:
    """Both files with the frames and joints that count: labelled frames, and joints with x and y above 0.

    Raises:
        Refusal: a file is PoseTrack17's, a frame does not say whether it is labelled, or the frames have other ids.
    """
    for video in (truth, prediction):
        if video.frames and not video.frame_ids:
            raise Refusal(f"{video.path}: annolist: got a PoseTrack17 file, wanted `images` as PoseTrack21 has them")
    is_labeled = _is_labeled(truth)
    _refuse_other_ids(truth, prediction, is_labeled)
    # Where frames count by their entries, one entry makes a labelled frame count, whoever is in it.
    return (
        replace(truth, entries=is_labeled.astype(np.int64), people=_placed(truth.people)),
        replace(prediction, people=_placed(prediction.people)),
    )


def _is_labeled(truth: Video) -> Bool[np.ndarray, " f"]:
    """What the file, whose form was checked before, says of each of its frames."""
    # Not among the columns: the official protocol does not look at this key, whatever it holds.
    told = {image["id"]: image.get("is_labeled") for image in _images(truth.path)}
    known: set[int] = set()
    for position, number in enumerate(truth.frame_ids):
        if number in known:
            refuse(truth.path, str(number), field=f"images[{position}].id", problem="got it twice, wanted it once")
        known.add(number)
        # 1 and 0 are equal to these two.
        if told.get(number) not in (True, False):
            problem = f"got {str(told.get(number))[:60]}, wanted true or false: PoseTrack21 scores labelled frames"
            refuse(truth.path, str(number), field=f"images[{position}].is_labeled", problem=problem)
    return np.array([bool(told[number]) for number in truth.frame_ids], dtype=np.bool_)


def _images(path: Path) -> list[dict[str, Any]]:
    try:
        images: list[dict[str, Any]] = json.loads(read_bytes(path))["images"]
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path}: got {type(error).__name__}, wanted JSON of ordinary depth and numbers") from None
    return images


def _refuse_other_ids(truth: Video, prediction: Video, is_labeled: Bool[np.ndarray, " f"]) -> None:
    for position in np.flatnonzero(is_labeled).tolist():
        wanted, got = truth.frame_ids[position], prediction.frame_ids[position]
        if got != wanted:
            problem = f"got {got}, wanted {wanted}, as in {truth.path}"
            refuse(prediction.path, str(got), field=f"images[{position}].id", problem=problem)


def _placed(people: People) -> People:
    """Present is what has both coordinates above 0; the third number, which is 0 for hidden joints, says nothing."""
    present: Bool[np.ndarray, "n 15"] = np.all(people.keypoints > 0, axis=-1)
    return replace(people, present=present)
