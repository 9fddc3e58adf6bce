from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.posetrack.annotations import Video
from pipeline.posetrack.index import PrepareConfig, build_index, prepare
from pipeline.posetrack.label_version import LabelVersion, label_version
from pipeline.posetrack.sources import find_source, read_videos
from pipeline.refusal import Refusal
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())


def test_val_with_footage_of_a_training_video_is_refused(tree: Path) -> None:
    share_footage(tree)

    with pytest.raises(Refusal, match=r"100.0 % of val's videos hold footage of training videos, wanted at most 0 %"):
        prepare(tree, tree.parent / "out", CONFIG)


def test_shared_footage_can_be_allowed_and_is_told(tree: Path) -> None:
    share_footage(tree)
    checks = check_config(max_leaked_share=1.0)

    _, found = build_index(tree, PrepareConfig(select_share=0.25, window=5, seed=0, checks=checks))

    assert found["blocks"] == []
    assert found["odd"]["videos_of_val_with_training_footage"] == 1
    assert found["leaks"]["found"] == [
        {
            "videos": ("000001_mpii_train", "000009_bonn_test"),
            "splits": ("train", "val"),
            "files": ("images/train/000001_mpii_train/000003.jpg", "images/val/000009_bonn_test/000000.jpg"),
            "pairs": 2,
        }
    ]


def share_footage(root: Path) -> None:
    """Two frames of a training video stand in val as well, and the grey one before them does anyway."""
    for grey, (train, val) in enumerate([(4, 1), (5, 2)]):
        image = np.random.default_rng(grey).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for file in (f"train/000001_mpii_train/{train:06d}.jpg", f"val/000009_bonn_test/{val:06d}.jpg"):
            cv2.imwrite(str(root / "images" / file), image)


def test_labels_are_known_by_their_counts_in_val(tree: Path) -> None:
    video = next(read_videos(find_source(tree), "val"))
    older = [many(video, 53)] * 73 + [many(video, 3902 - 73 * 53)]
    newer = [many(video, 52)] * 169 + [many(video, 8923 - 169 * 52)]

    assert label_version(older) == LabelVersion(videos=74, evaluated_frames=3902, name="PoseTrack18 v0.2")
    assert label_version(newer) == LabelVersion(videos=170, evaluated_frames=8923, name="PoseTrack18 v0.45")
    assert label_version(older[:-1]) == LabelVersion(videos=73, evaluated_frames=73 * 53, name="unknown")


def test_neither_training_videos_nor_frames_without_people_count_for_the_version(tree: Path) -> None:
    video = many(next(read_videos(find_source(tree), "val")), 4)
    with_empty_frames = replace(video, people=video.people[:3])

    found = label_version([with_empty_frames, replace(video, split="train")])

    assert found == LabelVersion(videos=1, evaluated_frames=3, name="unknown")


def many(video: Video, count: int) -> Video:
    """The video with so many frames, a person in each."""
    frames = tuple(replace(video.frames[0], frame_id=number) for number in range(count))
    return replace(
        video, frames=frames, people=tuple(replace(video.people[0], frame_id=number) for number in range(count))
    )
