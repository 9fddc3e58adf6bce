import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from dsn.skeleton import POSETRACK
from pipeline.evaluation.loading import read_video as read_truth
from pipeline.posetrack.annotations import Video
from pipeline.posetrack.posetrack17 import JOINTS
from pipeline.posetrack.sources import find_source, read_videos, write_truth
from pipeline.refusal import Refusal
from tests.world import formats

Document = dict[str, Any]
NAME = "000001_mpii_train"


def videos(root: Path, split: Any = "train") -> list[Video]:
    return list(read_videos(find_source(root), split))


def rect(track_id: int = 0, **changes: Any) -> Document:
    """A head of 3 x 4 and the two joints `nose` and `right_ankle`."""
    points = [{"id": [13], "x": [30.0], "y": [40.0]}, {"id": [0], "x": [50.0], "y": [80.0]}]
    head = {"x1": [10], "y1": [20], "x2": [13], "y2": [24]}
    values = {**head, "track_id": [track_id], "annopoints": [{"point": points}]}
    return {name: value for name, value in (values | changes).items() if value is not None}


def annolist(*people: list[Document], **changes: Any) -> Document:
    """One frame for each list of people."""
    frames = [
        {"image": [{"name": f"images/mpii/{NAME}/{n + 1:08d}.jpg"}], "is_labeled": [1], "annorect": rects} | changes
        for n, rects in enumerate(people)
    ]
    return {"annolist": frames}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes JSON below the root, which it gives."""

    def write(content: Any, file: str = f"posetrack_data/annotations/train/{NAME}.json") -> Path:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return tmp_path

    return write


def test_an_unknown_folder_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    (tmp_path / "frames").mkdir()

    with pytest.raises(Refusal, match=r"got no annotations in it, only frames, labels.csv; wanted posetrack_data/"):
        find_source(tmp_path)


def test_two_datasets_in_one_folder_are_refused_with_their_names(
    write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    write(content)
    root = write(content, f"posetrack_data/train/{NAME}.json")

    with pytest.raises(
        Refusal, match=r"2 datasets, .*annotations/\*/\*.json \(posetrack18\), .*/\*/\*.json \(posetrack21\)"
    ):
        find_source(root)


def test_mmposes_list_beside_the_files_that_it_was_made_from_is_no_second_dataset(
    write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    write(content, "annotations/posetrack18_train.json")
    root = write(content, f"annotations/train/{NAME}.json")

    assert find_source(root).format == "posetrack18"


def test_json_counts_where_posetrack17_lies_there_as_both(write: Callable[..., Path]) -> None:
    root = write(annolist([rect()]))
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


@pytest.fixture
def small(tree: Path) -> Path:
    """The tree with ignore regions, which every format can hold."""
    for path in tree.rglob("*.json"):
        content = json.loads(path.read_text())
        for image in content["images"]:
            image |= {"ignore_regions_x": [], "ignore_regions_y": []}
        path.write_text(json.dumps(content))
    return tree


def test_frames_of_posetrack17_are_in_the_files_order_whatever_their_names(write: Callable[..., Path]) -> None:
    content = annolist([], [rect()], [])
    names = ["images/mpii_5sec/v/0015_crop.jpg", "images/mpii_5sec/v/0003_crop.jpg", "images/mpii_5sec/v/00000099.jpg"]
    for frame, name in zip(content["annolist"], names, strict=True):
        frame["image"][0]["name"] = name

    video = videos(write(content))[0]

    assert [frame.file for frame in video.frames] == names
    assert [frame.frame_id for frame in video.frames] == [0, 1, 2]
    assert [person.frame_id for person in video.people] == [1]


def test_posetrack17_gives_joints_by_id_and_the_extent_as_bbox(write: Callable[..., Path]) -> None:
    person = videos(write(annolist([rect()])))[0].people[0]

    rows = np.flatnonzero(person.keypoints[:, 2])
    labelled = {POSETRACK.joints[row]: person.keypoints[row].tolist() for row in rows}
    assert labelled == {"nose": [30, 40, 1], "right_ankle": [50, 80, 1]}
    assert person.bbox == pytest.approx((27, 34, 53, 86))
    assert (person.head_bbox, person.has_own_bbox) == ((10, 20, 13, 24), False)


def test_people_of_posetrack17_may_lack_points_and_head(write: Callable[..., Path]) -> None:
    people = [rect(0, annopoints=None), rect(1, annopoints=[]), rect(2, annopoints=[[]]), rect(3, x1=None)]
    people += [rect(4, annopoints=[{"point": [{"id": [15], "x": [1.0], "y": [2.0]}]}])]

    video = videos(write(annolist(people)))[0]

    assert [person.bbox is None for person in video.people] == [True, True, True, False, True]
    assert [person.head_bbox is None for person in video.people] == [False, False, False, True, False]
    assert video.unknown_joints == ("point id 15",)


def test_a_frame_of_posetrack17_is_labelled_by_its_flag_or_its_points(write: Callable[..., Path]) -> None:
    content = annolist([rect()], [rect(annopoints=None)], [], is_labeled=[0])

    assert [frame.is_labeled for frame in videos(write(content))[0].frames] == [True, False, False]


def test_a_mat_file_of_one_frame_one_person_and_one_point_is_read(tmp_path: Path) -> None:
    def struct(**values: Any) -> Any:
        return np.array([tuple(values.values())], dtype=[(name, object) for name in values])

    point = struct(id=13, x=30.5, y=40)
    person = struct(x1=10, y1=20, x2=13, y2=24, track_id=7, annopoints=struct(point=point))
    frame = struct(image=struct(name="images/mpii/v/00000001.jpg"), is_labeled=1, annorect=person)
    path = tmp_path / "posetrack_data/annotations/train/v.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"annolist": frame})

    video = videos(tmp_path)[0]

    assert (video.name, video.people[0].track_id, video.people[0].keypoints[0].tolist()) == ("v", 7, [30.5, 40, 1])
    assert JOINTS[13] == POSETRACK.joints[0]


@pytest.mark.parametrize("data", [b"", b"no MATLAB file at all" * 20, b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_what_is_no_mat_file_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "annotations/train/v.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)

    with pytest.raises(Refusal, match=r"v.mat: cannot be read .* wanted a .mat file of MATLAB's version 5 to 7"):
        videos(tmp_path)


def test_a_truncated_mat_file_is_refused(small: Path, tmp_path: Path) -> None:
    root = formats.posetrack17_mat(small, tmp_path / "mat")
    path = min((root / formats.LABELS18 / "train").iterdir())
    path.write_bytes(path.read_bytes()[:500])

    with pytest.raises(Refusal, match=f"{path.name}: cannot be read"):
        videos(root)


def test_a_mat_file_without_an_annolist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "annotations/train/v.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"RELEASE": 1})

    with pytest.raises(Refusal, match=r"got variables \['RELEASE'\], wanted `annolist`"):
        videos(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda frame: frame.pop("image"), "annolist.0.image: field required"),
        (lambda frame: frame.update(image=[]), "annolist.0.image: got 0 entries"),
        (lambda frame: frame["annorect"][0].pop("track_id"), "annolist.0.annorect.0.track_id: field required"),
        (lambda frame: frame["annorect"][0].update(x1=[1, 2]), "annolist.0.annorect.0.x1"),
    ],
)
def test_a_malformed_annolist_is_refused_by_file_and_field(
    spoil: Callable[[Document], Any], told: str, write: Callable[..., Path]
) -> None:
    content = annolist([rect()])
    spoil(content["annolist"][0])

    with pytest.raises(Refusal, match=f"{NAME}.json: {told}"):
        videos(write(content))


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


@pytest.mark.parametrize("alias", ["neck", "upper_neck"])
def test_other_names_of_the_neck_are_read_and_the_ground_truth_has_the_official_one(
    alias: str, write: Callable[..., Path], make_document: Callable[..., Document], tmp_path: Path
) -> None:
    content = make_document(NAME, "train", 2)
    content["categories"][0]["keypoints"][1] = alias
    for split in ("train", "val"):
        root = write(content, f"posetrack_data/annotations/{split}/{NAME}.json")

    video = videos(root)[0]
    write_truth(find_source(root), tmp_path / "truth")

    assert video.people[0].keypoints[1].tolist() == [11, 21, 1]
    assert video.unknown_joints == ()
    assert read_truth(tmp_path / "truth" / f"{NAME}.json").people.present.all()


def test_joints_that_the_skeleton_lacks_are_named(
    write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 1)
    content["categories"][0]["keypoints"].append("left_toe")
    content["annotations"][0]["keypoints"] += [1, 2, 1]

    assert videos(write(content))[0].unknown_joints == ("left_toe",)


def test_a_frame_with_nothing_but_bboxes_is_not_labelled(
    write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    content = make_document(NAME, "train", 2)
    content["images"][0]["is_labeled"] = content["images"][1]["is_labeled"] = False
    content["annotations"][0]["keypoints"] = [0] * 51

    video = videos(write(content, f"posetrack_data/train/{NAME}.json"))[0]

    assert [frame.is_labeled for frame in video.frames] == [False, True]
    assert video.people[0].bbox == (8, 15, 28, 45)


def test_v_of_0_beside_a_place_is_labelled_in_posetrack21_alone(
    write: Callable[..., Path], make_document: Callable[..., Document], tmp_path: Path
) -> None:
    content = make_document(NAME, "train", 1)
    content["annotations"][0]["keypoints"][:6] = [5, 0, 0, 0, 0, 0]
    write(content, f"21/posetrack_data/train/{NAME}.json")
    write(content, f"18/posetrack_data/annotations/train/{NAME}.json")

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
    change: Document, told: str, write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    write(make_document(NAME, "train", 1))
    root = write(asdict(formats.STICK) | change, "skeleton.json")

    with pytest.raises(Refusal, match=told):
        find_source(root)


def test_a_skeleton_that_is_no_json_is_refused(
    write: Callable[..., Path], make_document: Callable[..., Document]
) -> None:
    root = write(make_document(NAME, "train", 1))
    (root / "skeleton.json").write_text("{")

    with pytest.raises(Refusal, match=r"skeleton.json: .*, wanted a skeleton as JSON"):
        find_source(root)


def test_another_skeleton_beside_posetrack17_is_refused(write: Callable[..., Path]) -> None:
    write(annolist([rect()]))
    root = write(asdict(formats.STICK), "skeleton.json")

    with pytest.raises(Refusal, match="PoseTrack17's joints are numbers, and fixed"):
        find_source(root)


def test_links_to_the_images_are_followed(small: Path, tmp_path: Path) -> None:
    root = formats.posetrack21(small, tmp_path / "tree")
    shutil.move(root / "images", tmp_path / "elsewhere")
    (root / "images").symlink_to(tmp_path / "elsewhere")

    assert all((root / frame.file).is_file() for video in videos(root) for frame in video.frames)
