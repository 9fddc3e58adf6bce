from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from dsn.skeleton import POSETRACK
from pipeline.posetrack.annotations import Video
from pipeline.posetrack.posetrack17 import JOINTS
from pipeline.posetrack.sources import find_source, read_videos
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


def test_frames_of_posetrack17_are_in_the_files_order_whatever_their_names(write_labels: Callable[..., Path]) -> None:
    content = annolist([], [rect()], [])
    names = ["images/mpii_5sec/v/0015_crop.jpg", "images/mpii_5sec/v/0003_crop.jpg", "images/mpii_5sec/v/00000099.jpg"]
    for frame, name in zip(content["annolist"], names, strict=True):
        frame["image"][0]["name"] = name

    video = videos(write_labels(content))[0]

    assert [frame.file for frame in video.frames] == names
    assert [frame.frame_id for frame in video.frames] == [0, 1, 2]
    assert [person.frame_id for person in video.people] == [1]


def test_posetrack17_gives_joints_by_id_and_the_extent_as_bbox(write_labels: Callable[..., Path]) -> None:
    person = videos(write_labels(annolist([rect()])))[0].people[0]

    rows = np.flatnonzero(person.keypoints[:, 2])
    labelled = {POSETRACK.joints[row]: person.keypoints[row].tolist() for row in rows}
    assert labelled == {"nose": [30, 40, 1], "right_ankle": [50, 80, 1]}
    assert person.bbox == pytest.approx((27, 34, 53, 86))
    assert (person.head_bbox, person.has_own_bbox) == ((10, 20, 13, 24), False)


def test_people_of_posetrack17_may_lack_points_and_head(write_labels: Callable[..., Path]) -> None:
    people = [rect(0, annopoints=None), rect(1, annopoints=[]), rect(2, annopoints=[[]]), rect(3, x1=None)]
    people += [rect(4, annopoints=[{"point": [{"id": [15], "x": [1.0], "y": [2.0]}]}])]

    video = videos(write_labels(annolist(people)))[0]

    assert [person.bbox is None for person in video.people] == [True, True, True, False, True]
    assert [person.head_bbox is None for person in video.people] == [False, False, False, True, False]
    assert video.unknown_joints == ("point id 15",)


def test_a_frame_of_posetrack17_is_labelled_by_its_flag_or_its_points(write_labels: Callable[..., Path]) -> None:
    content = annolist([rect()], [rect(annopoints=None)], [], is_labeled=[0])

    assert [frame.is_labeled for frame in videos(write_labels(content))[0].frames] == [True, False, False]


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
    spoil: Callable[[Document], Any], told: str, write_labels: Callable[..., Path]
) -> None:
    content = annolist([rect()])
    spoil(content["annolist"][0])

    with pytest.raises(Refusal, match=f"{NAME}.json: {told}"):
        videos(write_labels(content))
