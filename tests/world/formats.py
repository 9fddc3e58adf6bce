"""The drawn world again in every other format: the same images, the same people, other files.

Every function takes the root of a PoseTrack18 tree and writes a tree of its format into a new folder, which it gives.
Images are hard links.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK, Skeleton
from pipeline.posetrack.posetrack17 import JOINTS

Document = dict[str, Any]

LABELS18 = "posetrack_data/annotations"
STICK = Skeleton(
    name="stick",
    joints=("head", "hand_a", "hand_b", "foot_a", "foot_b"),
    flip_pairs=((1, 2), (3, 4)),
    limbs=((0, 1), (0, 2), (0, 3), (0, 4)),
    sigmas=(0.03, 0.06, 0.06, 0.09, 0.09),
    scored=(0, 1, 2, 3, 4),
    upper_body=(0, 1, 2),
    lower_body=(3, 4),
    groups=(("Head", (0,)), ("Hands", (1, 2)), ("Feet", (3, 4))),
)
"""A skeleton that is not PoseTrack's."""
STICK_FROM = ("head_top", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
"""PoseTrack's joints that stand for the stick's."""


def posetrack18_as_mmpose_lays_it_out(world: Path, out: Path) -> Path:
    """The official files in `annotations`, without the folder above."""
    _link_images(world, out)
    shutil.copytree(world / LABELS18, out / "annotations")
    return out


def posetrack17(world: Path, out: Path) -> Path:
    """JSON with `annolist`; images in one of PoseTrack17's folders, numbered from 1 in eight digits."""
    for split, name, document in documents(world):
        _write(out / LABELS18 / split / f"{name}.json", annolist(_renumbered(world, out, name, document)))
    return out


def posetrack17_mat(world: Path, out: Path) -> Path:
    """The same in MATLAB's format."""
    for split, name, document in documents(world):
        content = annolist(_renumbered(world, out, name, document))
        path = out / LABELS18 / split / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"annolist": _structs(content["annolist"])})
    return out


def posetrack21(world: Path, out: Path, *, hidden: bool = False) -> Path:
    """With global ids of people; with `hidden`, every labelled wrist is occluded: v = 0 beside its x and y."""
    _link_images(world, out)
    people: dict[tuple[str, int], int] = {}
    for split, name, document in documents(world):
        for image in document["images"]:
            image["has_labeled_person"] = image["is_labeled"]
        for person in document["annotations"]:
            person["person_id"] = people.setdefault((name, person["track_id"]), 2**53 + 1 + len(people))
            if hidden:
                for joint in (9, 10):
                    person["keypoints"][3 * joint + 2] = 0
        _write(out / "posetrack_data" / split / f"{name}.json", document)
    return out


def mmpose_list(world: Path, out: Path) -> Path:
    """The official files one after the other, with sizes and counts."""
    _link_images(world, out)
    for split, merged in _concatenated(world).items():
        for person in merged["annotations"]:
            person |= {"iscrowd": False, "num_keypoints": int(sum(person["keypoints"][2::3]))}
        _write(out / "annotations" / f"posetrack18_{split}.json", merged)
    return out


def detect_and_track_list(world: Path, out: Path, *, images: str = "images_renamed") -> Path:
    """Ids from 1 on, v = 2, head boxes by their corners, bboxes by their own rule, names without the images' folder."""
    for split, merged in _concatenated(world).items():
        numbers = {image["id"]: number for number, image in enumerate(merged["images"], start=1)}
        for image in merged["images"]:
            _rename(world, out, image, images=images, number=numbers[image["id"]])
        for number, person in enumerate(merged["annotations"], start=1):
            _reshape(person, image_id=numbers[person["image_id"]], number=number)
        _write(out / "posetrack17_json_files" / f"posetrack_{split}.json", merged)
    return out


def own(world: Path, out: Path, *, skeleton: Skeleton = STICK, joints_from: tuple[str, ...] = STICK_FROM) -> Path:
    """COCO-keypoint files of another skeleton, with its skeleton.json, and without head bboxes."""
    _link_images(world, out)
    _write(out / "skeleton.json", skeletons.to_dict(skeleton))
    for split, name, document in documents(world):
        document["categories"][0]["keypoints"] = list(skeleton.joints)
        for person in document["annotations"]:
            table = np.reshape(person["keypoints"], (-1, 3))
            rows = [POSETRACK.joints.index(joint) for joint in joints_from]
            person["keypoints"] = (table[rows] * [1, 1, 2]).ravel().tolist()
            del person["bbox_head"]
        _write(out / "annotations" / split / f"{name}.json", document)
    return out


WRITERS: dict[str, Callable[[Path, Path], Path]] = {
    "posetrack18": posetrack18_as_mmpose_lays_it_out,
    "posetrack17": posetrack17,
    "posetrack17_mat": posetrack17_mat,
    "posetrack21": posetrack21,
    "mmpose_list": mmpose_list,
    "detect_and_track_list": detect_and_track_list,
    "own": own,
}
"""By what they write."""


def documents(world: Path) -> Iterator[tuple[str, str, Document]]:
    """Split, video and content of every annotation file, in order of name."""
    for path in sorted((world / LABELS18).rglob("*.json")):
        yield path.parent.name, path.stem, json.loads(path.read_text())


def annolist(document: Document) -> Document:
    """PoseTrack18's content as PoseTrack17's."""
    people: dict[int, list[Document]] = {image["id"]: [] for image in document["images"]}
    for person in document["annotations"]:
        people[person["image_id"]].append(person)
    return {
        "annolist": [
            {
                "image": [{"name": image["file_name"]}],
                "imgnum": [number],
                "is_labeled": [int(image["is_labeled"])],
                "ignore_regions": [
                    {"point": [{"x": [x], "y": [y]} for x, y in zip(*region, strict=True)]}
                    for region in zip(image["ignore_regions_x"], image["ignore_regions_y"], strict=True)
                ],
                "annorect": [_rect(person) for person in people[image["id"]]],
            }
            for number, image in enumerate(document["images"], start=1)
        ]
    }


def _rect(person: Document) -> Document:
    x, y, width, height = person["bbox_head"]
    table = np.reshape(person["keypoints"], (-1, 3)).tolist()
    rows = [(number, table[POSETRACK.joints.index(joint)]) for number, joint in enumerate(JOINTS)]
    points = [{"id": [n], "x": [x], "y": [y], "is_visible": [1]} for n, (x, y, v) in rows if v > 0]
    return {
        "x1": [x], "y1": [y], "x2": [x + width], "y2": [y + height],
        "track_id": [person["track_id"]], "annopoints": [{"point": points}],
    }  # fmt: skip


def _structs(value: Any) -> Any:
    """JSON's values as MATLAB has them: lists of objects as arrays of structs, lists of numbers as arrays."""
    if not isinstance(value, list) or not value:
        return np.array(value) if isinstance(value, list) else value
    if not isinstance(value[0], dict):
        return np.array(value)
    array = np.zeros((1, len(value)), dtype=[(name, object) for name in value[0]])
    for position, entry in enumerate(value):
        array[0, position] = tuple(_structs(entry[name]) for name in value[0])
    return array


def _renumbered(world: Path, out: Path, name: str, document: Document) -> Document:
    """The document with PoseTrack17's names of images, which are linked there."""
    for number, image in enumerate(document["images"], start=1):
        file = f"images/bonn_5sec/{name}/{number:08d}.jpg"
        _link(world / image["file_name"], out / file)
        image["file_name"] = file
    return document


def _concatenated(world: Path) -> dict[str, Document]:
    merged: dict[str, Document] = {}
    for split, _, document in documents(world):
        target = merged.setdefault(split, {"images": [], "annotations": [], "categories": document["categories"]})
        target["images"] += document["images"]
        target["annotations"] += document["annotations"]
    return merged


def _rename(world: Path, out: Path, image: Document, *, images: str, number: int) -> None:
    file = Path(image["file_name"])
    running = int(file.stem) + 1
    name = f"bonn_5sec/{file.parent.name}/{running:08d}.jpg"
    _link(world / file, out / images / name)
    image |= {"id": number, "frame_id": running, "file_name": name, "original_file_name": f"images/{name}"}


def _reshape(person: Document, *, image_id: int, number: int) -> None:
    x, y, width, height = person.pop("bbox_head")
    table = np.reshape(person["keypoints"], (-1, 3))
    points = table[table[:, 2] > 0, :2]
    low, high = points.min(axis=0), points.max(axis=0) + 1
    corner, size = (low + high) / 2 - 0.6 * (high - low), 1.2 * (high - low)
    person |= {
        "id": number,
        "image_id": image_id,
        "keypoints": (table * [1, 1, 2]).ravel().tolist(),
        "num_keypoints": 17,
        "head_box": [x, y, x + width, y + height],
        "bbox": [*corner.tolist(), *size.tolist()],
        "area": float(size.prod()),
        "iscrowd": 0,
        "segmentation": [],
    }


def _link_images(world: Path, out: Path) -> None:
    shutil.copytree(world / "images", out / "images", copy_function=os.link)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def _write(path: Path, content: Document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
