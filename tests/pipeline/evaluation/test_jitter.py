"""Jitter is an acceleration: the same motion has the same, however densely it is labelled."""

import numpy as np
import pytest

from pipeline.evaluation.errors import Labels, acceleration_errors
from pipeline.evaluation.predict import Poses

HEAD = 20.0
"""In pixels."""


def jitter(frames: list[int], *, acceleration: float) -> float:
    """Of one track with one joint, whose error grows by an acceleration in head sizes by squared frame."""
    times = np.array(frames, dtype=np.int64)
    count = len(times)
    labels = Labels(
        keypoints=np.zeros((count, 1, 2)),
        labeled=np.ones((count, 1), dtype=np.bool_),
        unit=np.full(count, HEAD),
        video=np.zeros(count, dtype=np.int64),
        frame=times,
        track_id=np.zeros(count, dtype=np.int64),
    )
    off = np.stack([HEAD * acceleration / 2 * times**2, np.zeros(count)], axis=1)[:, None]
    return float(acceleration_errors(Poses(keypoints=off, scores=np.ones((count, 1))), labels)[0])


@pytest.mark.parametrize("frames", [[0, 1, 2, 3], [0, 4, 8, 12], [0, 4, 8, 9, 10, 11, 15, 19], [3, 1, 2]])
def test_an_acceleration_counts_alike_on_dense_sparse_and_mixed_labels(frames: list[int]) -> None:
    assert jitter(frames, acceleration=0.02) == pytest.approx(0.02)


@pytest.mark.parametrize("frames", [[0, 1], [0, 1, 3], [5]])
def test_without_three_labels_at_equal_distances_there_is_none(frames: list[int]) -> None:
    assert np.isnan(jitter(frames, acceleration=0.02))
