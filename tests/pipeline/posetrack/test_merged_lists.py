import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.posetrack.annotations import Video
from pipeline.posetrack.sources import find_source, read_videos
from pipeline.refusal import Refusal
from tests.world import formats

Document = dict[str, Any]
NAME = "000001_mpii_train"


def videos(root: Path, split: Any = "train") -> list[Video]:
    return list(read_videos(find_source(root), split))


def test_one_id_for_images_of_two_videos_of_a_list_is_refused(small: Path, tmp_path: Path) -> None:
    root = formats.mmpose_list(small, tmp_path / "list")
    path = root / "annotations/posetrack18_train.json"
    content = json.loads(path.read_text())
    content["images"][-1]["id"] = content["images"][0]["id"]
    path.write_text(json.dumps(content))

    with pytest.raises(
        Refusal, match=r"for images of 000001_mpii_train and 000004_mpii_train, wanted ids that are unique"
    ):
        videos(root)


def test_annotations_of_a_list_without_an_image_are_not_lost(small: Path, tmp_path: Path) -> None:
    root = formats.mmpose_list(small, tmp_path / "list")
    path = root / "annotations/posetrack18_train.json"
    content = json.loads(path.read_text())
    content["annotations"][-1]["image_id"] = 77
    path.write_text(json.dumps(content))

    found = videos(root)

    assert sum(len(video.people) for video in found) == len(content["annotations"])
    assert [person.frame_id for video in found for person in video.people].count(77) == 1


def test_videos_of_a_list_whose_folders_have_one_name_are_told_apart(small: Path, tmp_path: Path) -> None:
    root = formats.detect_and_track_list(small, tmp_path / "list")
    path = root / "posetrack17_json_files/posetrack_train.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        if "000002_mpii_train" in image["file_name"]:
            image["file_name"] = image["file_name"].replace("bonn_5sec/000002", "bonn/000001")
    path.write_text(json.dumps(content))

    names = [video.name for video in videos(root)]

    assert names == ["000003_mpii_train", "000004_mpii_train", "bonn-000001_mpii_train", "bonn_5sec-000001_mpii_train"]
