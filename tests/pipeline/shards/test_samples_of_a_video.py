from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.posetrack.index import Index
from pipeline.shards.crop import transform
from pipeline.shards.recipe import Recipe
from pipeline.shards.sample import ClipSample
from pipeline.shards.video import frames_used, interpolated_bbox, samples_of, video_of

CLIP = (-2, -1, 0, 1, 2)


def video_samples(index: Index, recipe: Recipe, video: str = "000001_a") -> dict[tuple[int, int], ClipSample]:
    frames, people = (table[table["video"] == video] for table in (index.frames, index.people))
    samples = samples_of(video_of(frames, people, name=video), np.arange(len(people)), recipe)
    return {(sample.frame, sample.person): sample for sample in samples}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [(3, (1, 2, 3, 4, 5)), (0, (1, 1, 0, 1, 2)), (1, (0, 0, 1, 2, 3)), (6, (4, 5, 6, 5, 5))],
)
def test_at_the_videos_borders_the_nearest_other_frame_stands_in_never_the_keyframe(
    frame: int, expected: tuple[int, ...]
) -> None:
    assert frames_used(np.arange(7), frame=frame, clip=CLIP) == expected


@pytest.mark.parametrize(
    ("positions", "frame", "expected"),
    [
        ([0, 2, 3, 4, 5], 3, (0, 2, 3, 4, 5)),
        ([0, 1, 2, 3, 6], 2, (0, 1, 2, 3, 3)),
        ([0, 1, 2, 3, 5], 2, (0, 1, 2, 3, 5)),
        ([4, 5, 6], 5, (4, 4, 5, 6, 6)),
        ([8], 8, (8, 8, 8, 8, 8)),
    ],
)
def test_the_nearest_existing_frame_stands_in_for_a_missing_one(
    positions: list[int], frame: int, expected: tuple[int, ...]
) -> None:
    assert frames_used(np.array(positions), frame=frame, clip=CLIP) == expected


def test_the_neighbour_bbox_is_linear_in_time_between_the_nearest_two() -> None:
    frames = np.array([0, 2, 5, 6, 20])
    bboxes = np.array([[0, 0, 1, 1], [10, 20, 30, 40], [40, 20, 60, 100], [9, 9, 9, 9], [0, 0, 1, 1]], dtype=float)

    assert interpolated_bbox(frames, bboxes, frame=3, reach=4) == pytest.approx((20, 20, 40, 60))
    assert interpolated_bbox(frames, bboxes, frame=2, reach=5) == pytest.approx((16, 8, 24.6, 40.6))


def test_the_keyframes_own_bbox_is_never_used() -> None:
    frames, bboxes = np.array([0, 1, 2]), np.array([[0, 0, 2, 2], [900, 900, 999, 999], [4, 4, 8, 8]], dtype=float)

    assert interpolated_bbox(frames, bboxes, frame=1, reach=1) == (2, 2, 5, 5)


@pytest.mark.parametrize(("frame", "reach"), [(0, 4), (8, 4), (4, 3), (3, 4)])
def test_without_a_bbox_within_reach_on_both_sides_there_is_none(frame: int, reach: int) -> None:
    frames, bboxes = np.array([0, 8]), np.zeros((2, 4))

    assert interpolated_bbox(frames, bboxes, frame=frame, reach=reach) is None


def test_a_sample_tells_everything_about_its_person(index: Index, make_recipe: Callable[..., Recipe]) -> None:
    sample = video_samples(index, make_recipe())[3, 1]

    assert sample.key == "000001_a-000003-001"
    assert (sample.frame_id, sample.track_id) == (10_000_010_003, 8)
    assert (sample.bbox, sample.neighbour_bbox) == ((46, 20, 62, 36), (46, 20, 62, 36))
    assert sample.head_size == pytest.approx(0.6 * 5)
    assert sample.keypoints[0::3][:2] == ((46, 20, 1), (0, 0, 0))
    assert sample.frames_used == (1, 2, 3, 4, 5)


def test_at_the_ends_of_a_track_there_is_no_neighbour_bbox(index: Index, make_recipe: Callable[..., Recipe]) -> None:
    samples = video_samples(index, make_recipe())

    assert [samples[frame, 0].neighbour_bbox is None for frame in range(7)] == [True] + [False] * 5 + [True]


def test_the_stored_crop_is_centred_on_the_bbox_at_the_inputs_spacing(
    index: Index, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe()
    affine = video_samples(index, recipe)[3, 1].affine

    assert recipe.stored_size == (48, 40)
    assert transform(np.array([[19.5, 23.5]]), affine) == pytest.approx(np.array([[54, 28]]))
    assert affine[0, 0] == pytest.approx(1.25 * 16 / 23)


def test_a_head_bbox_that_is_missing_gives_no_head_size(index: Index, make_recipe: Callable[..., Recipe]) -> None:
    absent = pd.Series([np.full(4, np.nan, dtype=np.float32)] * len(index.people))
    headless = replace(index, people=index.people.assign(head_bbox=absent))

    assert video_samples(headless, make_recipe())[3, 1].head_size is None
