"""Controls: poses from next to nothing, which a network has to beat before its number means anything."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64, Int64

from pipeline.evaluation.predict import Poses, to_frame
from pipeline.shards.crop import inverse, region, transform, upright
from pipeline.shards.sample import ClipSample


def mean_pose(samples: Iterable[ClipSample], *, input_size: tuple[int, int]) -> Float64[np.ndarray, "K 2"]:
    """The mean labelled keypoint of each joint in the crop around a person's bbox, in input pixels.

    A joint that no sample has labelled stands in the middle of the crop.
    """
    placed = [(sample, np.array(sample.keypoints)) for sample in samples]
    labelled = np.stack([rows[:, 2:] > 0 for _, rows in placed])
    points = np.stack([transform(rows[:, :2], inverse(_crop(sample, input_size))) for sample, rows in placed])
    count = labelled.sum(axis=0)
    middle = np.array([(input_size[1] - 1) / 2, (input_size[0] - 1) / 2])
    mean: Float64[np.ndarray, "K 2"] = np.where(labelled, points, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, mean, middle)


def place(pose: Float64[np.ndarray, "K 2"], samples: list[ClipSample], *, input_size: tuple[int, int]) -> Poses:
    """One pose in the crop around each sample's bbox, in the source frame; all scores are 1."""
    affines = np.stack([_crop(sample, input_size) for sample in samples])
    keypoints = np.broadcast_to(pose, (len(samples), *pose.shape))
    return Poses(keypoints=to_frame(keypoints, affines), scores=np.ones(keypoints.shape[:2]))


def _crop(sample: ClipSample, input_size: tuple[int, int]) -> Float64[np.ndarray, "2 3"]:
    return upright(region(sample.bbox, size=input_size), size=input_size)


def copy_weights(times: Int64[np.ndarray, "N S"]) -> Float64[np.ndarray, "N S"]:
    """What takes the pose of the last supporting frame before the keyframe; the first after it where none is before.

    Args:
        times: of the supporting frames, relative to the keyframe.

    Raises:
        ValueError: a supporting frame is the keyframe itself.
    """
    before, after = _nearest(times)
    return np.where(before.any(axis=1, keepdims=True), before, after)


def interpolation_weights(times: Int64[np.ndarray, "N S"]) -> Float64[np.ndarray, "N S"]:
    """What interpolates poses linearly in time from the nearest supporting frames before and after the keyframe.

    Where all are on one side, the nearest counts alone. See `copy_weights` for `times` and errors.
    """
    before, after = _nearest(times)
    start, end = (before * times).sum(axis=1, keepdims=True), (after * times).sum(axis=1, keepdims=True)
    has_both = before.any(axis=1, keepdims=True) & after.any(axis=1, keepdims=True)
    share = -start / np.maximum(end - start, 1)
    weights: Float64[np.ndarray, "N S"] = np.where(has_both, (1 - share) * before + share * after, before + after)
    return weights


def _nearest(times: Int64[np.ndarray, "N S"]) -> tuple[Float64[np.ndarray, "N S"], Float64[np.ndarray, "N S"]]:
    """1 at the nearest frame before the keyframe, and at the nearest after it; rows of zeros where there is none."""
    if (times == 0).any():
        raise ValueError("times: got 0, wanted supporting frames other than the keyframe")
    marks = []
    for side in (times < 0, times > 0):
        chosen = np.where(side, np.abs(times), np.iinfo(np.int64).max).argmin(axis=1)
        mark = np.zeros(times.shape)
        np.put_along_axis(mark, chosen[:, None], 1.0, axis=1)
        marks.append(mark * side)
    return marks[0], marks[1]


def weigh(
    weights: Float64[np.ndarray, "N S"],
    *,
    keypoints: Float64[np.ndarray, "N S K 2"],
    scores: Float64[np.ndarray, "N S K"],
) -> Poses:
    """Weighted sums of the poses at the supporting frames, and of their scores."""
    return Poses(
        keypoints=np.einsum("ns,nskc->nkc", weights, keypoints), scores=np.einsum("ns,nsk->nk", weights, scores)
    )
