import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from pipeline.evaluation.loading import read_video as read_truth
from pipeline.posetrack.annotations import Video
from pipeline.posetrack.sources import find_source, read_videos, write_truth
from pipeline.refusal import Refusal
from tests.world import formats

Document = dict[str, Any]
NAME = "000001_mpii_train"


ANNOLIST = {"annolist": [{"image": [{"name": f"images/mpii/{NAME}/00000001.jpg"}], "annorect": []}]}


def videos(root: Path, split: Any = "train") -> list[Video]:
    return list(read_videos(find_source(root), split))


def test_an_unknown_folder_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    (tmp_path / "frames").mkdir()

    with pytest.raises(Refusal, match=r"got no annotations in it, only frames, labels.csv; wanted posetrack_data/"):
        find_source(tmp_path)


def test_two_datasets_in_one_folder_are_refused_with_their_names(
    write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    write_labels(content)
    root = write_labels(content, f"posetrack_data/train/{NAME}.json")

    with pytest.raises(
        Refusal, match=r"2 datasets, .*annotations/\*/\*.json \(posetrack18\), .*/\*/\*.json \(posetrack21\)"
    ):
        find_source(root)


def test_mmposes_list_beside_the_files_that_it_was_made_from_is_no_second_dataset(
    write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    write_labels(content, "annotations/posetrack18_train.json")
    root = write_labels(content, f"annotations/train/{NAME}.json")

    assert find_source(root).format == "posetrack18"


def test_json_counts_where_posetrack17_lies_there_as_both(write_labels: Callable[..., Path]) -> None:
    root = write_labels(ANNOLIST)
    folder = root / "posetrack_data/annotations/train"
    (folder / f"{NAME}.mat").write_bytes(b"")

    assert find_source(root).format == "posetrack17"

    (folder / "000002_mpii_train.mat").write_bytes(b"")
    with pytest.raises(Refusal, match=r"\(posetrack17\), .* \(posetrack17_mat\)"):
        find_source(root)


LEAVING = ("/etc/passwd", "../x.jpg", "images/../../x.jpg")
CASES = [(name, file) for name in formats.WRITERS for file in LEAVING]
CASES += [("posetrack17", ""), ("posetrack18", ""), ("posetrack21", "images/\0.jpg")]


@pytest.mark.parametrize(("name", "file"), CASES)
def test_paths_that_leave_the_root_are_refused_in_every_format(
    name: str, file: str, small: Path, tmp_path: Path
) -> None:
    root = formats.WRITERS[name](small, tmp_path / name)
    for path in [path for path in root.rglob("*.json") if path.name != "skeleton.json"]:
        content = json.loads(path.read_text())
        if "annolist" in content:
            content["annolist"][0]["image"][0]["name"] = file
        else:
            content["images"][0] |= {"file_name": file, "original_file_name": file}
        path.write_text(json.dumps(content))
    for path in root.rglob("*.mat"):
        image = np.array([(file,)], dtype=[("name", object)])
        savemat(path, {"annolist": np.array([(image,)], dtype=[("image", object)])})

    with pytest.raises(Refusal, match="wanted a path that stays below the dataset's root"):
        videos(root)


@pytest.mark.parametrize("alias", ["neck", "upper_neck"])
def test_other_names_of_the_neck_are_read_and_the_ground_truth_has_the_official_one(
    alias: str, write_labels: Callable[..., Path], make_document: Callable[..., Document], tmp_path: Path
) -> None:
    content = make_document(NAME, "train", 2)
    content["categories"][0]["keypoints"][1] = alias
    for split in ("train", "val"):
        root = write_labels(content, f"posetrack_data/annotations/{split}/{NAME}.json")

    video = videos(root)[0]
    write_truth(find_source(root), tmp_path / "truth")

    assert video.people[0].keypoints[1].tolist() == [11, 21, 1]
    assert video.unknown_joints == ()
    assert read_truth(tmp_path / "truth" / f"{NAME}.json").people.present.all()


def test_joints_that_the_skeleton_lacks_are_named(
    write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    content["categories"][0]["keypoints"].append("left_toe")
    content["annotations"][0]["keypoints"] += [1, 2, 1]

    assert videos(write_labels(content))[0].unknown_joints == ("left_toe",)


def test_a_frame_with_nothing_but_bboxes_is_not_labelled(
    write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 2)
    content["images"][0]["is_labeled"] = content["images"][1]["is_labeled"] = False
    content["annotations"][0]["keypoints"] = [0] * 51

    video = videos(write_labels(content, f"posetrack_data/train/{NAME}.json"))[0]

    assert [frame.is_labeled for frame in video.frames] == [False, True]
    assert video.people[0].bbox == (8, 15, 28, 45)


def test_v_of_0_beside_a_place_is_labelled_in_posetrack21_alone(
    write_labels: Callable[..., Path], make_document: Callable[..., Document], tmp_path: Path
) -> None:
    content = make_document(NAME, "train", 1)
    content["annotations"][0]["keypoints"][:6] = [5, 0, 0, 0, 0, 0]
    write_labels(content, f"21/posetrack_data/train/{NAME}.json")
    write_labels(content, f"18/posetrack_data/annotations/train/{NAME}.json")

    found = {name: videos(tmp_path / name)[0].people[0].keypoints[:2].tolist() for name in ("18", "21")}

    assert found == {"18": [[0, 0, 0], [0, 0, 0]], "21": [[5, 0, 1], [0, 0, 0]]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sigmas": [0.1]}, "skeleton.json: sigmas: got"),
        ({"joints": None}, r"skeleton.json.joints: got None"),
        ({"colour": "red"}, "skeleton.json.colour is not a known key"),
    ],
)
def test_a_skeleton_that_is_none_is_refused(
    change: Document, told: str, write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    write_labels(make_document(NAME, "train", 1))
    root = write_labels(asdict(formats.STICK) | change, "skeleton.json")

    with pytest.raises(Refusal, match=told):
        find_source(root)


def test_a_skeleton_that_is_no_json_is_refused(
    write_labels: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    root = write_labels(make_document(NAME, "train", 1))
    (root / "skeleton.json").write_text("{")

    with pytest.raises(Refusal, match=r"skeleton.json: .*, wanted a skeleton as JSON"):
        find_source(root)


def test_another_skeleton_beside_posetrack17_is_refused(write_labels: Callable[..., Path]) -> None:
    write_labels(ANNOLIST)
    root = write_labels(asdict(formats.STICK), "skeleton.json")

    with pytest.raises(Refusal, match="PoseTrack17's joints are numbers, and fixed"):
        find_source(root)


def test_links_to_the_images_are_followed(small: Path, tmp_path: Path) -> None:
    root = formats.posetrack21(small, tmp_path / "tree")
    shutil.move(root / "images", tmp_path / "elsewhere")
    (root / "images").symlink_to(tmp_path / "elsewhere")

    assert all((root / frame.file).is_file() for video in videos(root) for frame in video.frames)
