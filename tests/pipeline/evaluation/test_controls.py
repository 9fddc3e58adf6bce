import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.controls import (
    copy_weights,
    interpolation_weights,
    mean_pose,
    place,
    weigh,
)
from pipeline.shards.reader import read_samples

SIZE = (81, 61)
"""With the bbox of 40 x 60 grown to 50 x 75, a crop's pixel is 0.9375 source pixels."""


@pytest.fixture
def clips() -> Any:
    return importlib.import_module("tests.world.clips")


def keypoints(*rows: tuple[float, float, float]) -> tuple[tuple[float, float, float], ...]:
    return (*rows, *((0.0, 0.0, 0.0),) * (17 - len(rows)))


def test_the_mean_pose_is_the_mean_of_labelled_keypoints_in_the_crop(clips: Any) -> None:
    centre, right = (30.0, 50.0, 1.0), (30.0 + 9.375, 50.0, 1.0)
    samples = [
        clips.sample(0, keypoints=keypoints(centre, centre)),
        clips.sample(1, keypoints=keypoints(right, (0.0, 0.0, 0.0))),
    ]

    pose = mean_pose(samples, input_size=SIZE)

    np.testing.assert_allclose(pose[0], [30 + 5, 40])
    np.testing.assert_allclose(pose[1], [30, 40])


def test_a_joint_that_was_never_labelled_stands_in_the_middle(clips: Any) -> None:
    pose = mean_pose([clips.sample(0)], input_size=SIZE)

    np.testing.assert_allclose(pose, np.tile([30.0, 40.0], (17, 1)))


def test_the_mean_pose_goes_with_the_bbox(clips: Any) -> None:
    pose = np.tile([40.0, 40.0], (17, 1))
    samples = [clips.sample(0), clips.sample(1, bbox=(110.0, 20.0, 190.0, 140.0))]

    poses = place(pose, samples, input_size=SIZE)

    np.testing.assert_allclose(poses.keypoints[0, 0], [30 + 10 * 0.9375, 50])
    np.testing.assert_allclose(poses.keypoints[1, 0], [150 + 10 * 2 * 0.9375, 80])
    assert (poses.scores == 1).all()


def test_copying_takes_the_frame_before_or_else_the_nearest_after() -> None:
    times = np.array([[-2, -1, 1, 2], [-5, -5, 1, 2]])

    assert copy_weights(times).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert copy_weights(np.array([[1, 2, 3]])).tolist() == [[1, 0, 0]]


def test_interpolation_weighs_the_nearest_frames_by_time() -> None:
    times = np.array([[-2, -1, 1, 2], [-4, -3, 1, 2], [-4, -3, -2, -1], [1, 2, 3, 4]])

    weights = interpolation_weights(times)

    wanted = np.array([[0.0, 0.5, 0.5, 0.0], [0.0, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(weights, wanted)


def test_a_joint_that_moves_evenly_is_interpolated_exactly() -> None:
    times = np.array([[-3, -1, 2, 4]])
    positions = np.array([[7.0 + 3 * time, 5.0 - time] for time in times[0]])[None, :, None, :]
    scores = np.array([0.1, 0.3, 0.6, 0.9])[None, :, None]

    poses = weigh(interpolation_weights(times), keypoints=positions, scores=scores)

    np.testing.assert_allclose(poses.keypoints, [[[7.0, 5.0]]])
    np.testing.assert_allclose(poses.scores, [[0.3 * 2 / 3 + 0.6 / 3]])


def test_the_keyframe_is_no_supporting_frame() -> None:
    with pytest.raises(ValueError, match="times: got 0, wanted supporting frames other than the keyframe"):
        copy_weights(np.array([[-1, 0]]))


def test_metadata_is_read_in_the_manifests_order(clips: Any, drawn_world: Path, tmp_path: Path) -> None:
    folder = clips.pack(drawn_world, tmp_path)

    keys = [sample.key for sample in read_samples(folder / "val")]

    assert len(keys) > 40
    assert keys == sorted(keys)
