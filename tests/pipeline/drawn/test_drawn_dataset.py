import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.artifacts import read_json
from pipeline.drawn.annotations import grown_bbox, labelled_frames
from pipeline.drawn.appearance import draw_appearance
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import plan_videos
from pipeline.drawn.labels import labelled
from pipeline.drawn.render import paint_ranks
from pipeline.drawn.scene import build_scene
from pipeline.drawn.sheet import contact_sheet
from pipeline.drawn.video import annotation
from pipeline.refusal import Refusal

SMALL = {
    "train_videos": 1,
    "val_videos": 1,
    "train_frames": 4,
    "val_frames": 4,
    "labeled_frames": 2,
    "people": (2, 2),
    "crowd": 0.0,
}


@pytest.fixture
def tiny() -> DrawConfig:
    config: DrawConfig = importlib.import_module("tests.world.drawn").tiny_config()
    return config


@pytest.fixture
def draw_world() -> Callable[..., Path]:
    function: Callable[..., Path] = importlib.import_module("tests.world.drawn").draw_world
    return function


def files(root: Path) -> dict[str, Any]:
    labels = {path.stem: read_json(path) for path in (root / "posetrack_data" / "annotations").glob("*/*.json")}
    assert len(labels) == 5
    return labels


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_every_frame_named_in_the_labels_is_a_picture_of_the_wanted_size(drawn_world: Path, tiny: DrawConfig) -> None:
    names = [image["file_name"] for labels in files(drawn_world).values() for image in labels["images"]]

    assert sorted(names) == sorted(str(path.relative_to(drawn_world)) for path in drawn_world.rglob("*.jpg"))
    assert len(names) == 3 * 12 + 2 * 16
    for name in names[::7]:
        picture = cv2.imread(str(drawn_world / name))
        assert picture is not None
        assert picture.shape == (*tiny.size, 3)


def test_the_images_have_posetrack18s_keys_and_ids(drawn_world: Path) -> None:
    images = files(drawn_world)["005002_mpii_test"]["images"]

    assert images[3] == {
        "has_no_densepose": True,
        "is_labeled": False,
        "file_name": "images/val/005002_mpii_test/000003.jpg",
        "nframes": 16,
        "frame_id": 10050020003,
        "id": 10050020003,
        "vid_id": "005002",
        "ignore_regions_x": [],
        "ignore_regions_y": [],
    }
    assert [image["is_labeled"] for image in images] == labelled_frames(16, middle=8, step=4).tolist()


def test_only_labelled_frames_have_people_and_ids_count_within_a_frame(drawn_world: Path) -> None:
    for labels in files(drawn_world).values():
        labelled = {image["id"] for image in labels["images"] if image["is_labeled"]}
        ids = [person["id"] for person in labels["annotations"]]
        assert len(ids) == len(set(ids)) > 0
        for person in labels["annotations"]:
            assert person["image_id"] in labelled
            assert person["id"] // 100 == person["image_id"]
            assert person["category_id"] == 1
            assert person["scores"] == []


def test_boxes_follow_the_labelled_keypoints_and_ears_are_never_labelled(drawn_world: Path) -> None:
    for labels in files(drawn_world).values():
        for person in labels["annotations"]:
            keypoints = np.array(person["keypoints"]).reshape(17, 3)
            known = keypoints[:, 2] > 0
            assert known.sum() >= 3
            assert not known[3:5].any()
            assert not keypoints[~known].any()
            assert person["bbox"] == pytest.approx(grown_bbox(keypoints[known, :2]), abs=1e-3)


def test_ignore_regions_are_closed_polygons_inside_the_image_with_no_visible_joint_in_them(tiny: DrawConfig) -> None:
    config = DrawConfig(**{name: getattr(tiny, name) for name in tiny.__dataclass_fields__} | {"crowd": 1.0})
    scene = build_scene(6, first_number=0, people=2, config=config, rng=np.random.default_rng(4))

    labels = annotation(scene, 1, split="train", is_labelled=np.ones(6, bool), config=config)

    regions = [
        (image["id"], list(zip(xs, ys, strict=True)))
        for image in labels["images"]
        for xs, ys in zip(image["ignore_regions_x"], image["ignore_regions_y"], strict=True)
    ]
    assert regions
    height, width = config.size
    for frame, region in regions:
        assert region[0] == region[-1]
        assert len(set(region)) >= 3
        assert all(0 <= x < width and 0 <= y < height for x, y in region)
        for person in (person for person in labels["annotations"] if person["image_id"] == frame):
            x, y, known = np.array(person["keypoints"]).reshape(17, 3)[0]
            assert not known or cv2.pointPolygonTest(np.array(region, np.float32), (float(x), float(y)), False) <= 0


def test_labelled_joints_lie_on_their_person_or_behind_something_nearer(tiny: DrawConfig) -> None:
    scene = build_scene(5, first_number=0, people=3, config=tiny, rng=np.random.default_rng(2))

    checked = 0
    for frame in range(5):
        ranks, own = paint_ranks(tiny.size, scene.people + scene.things, frame)
        for index, track in enumerate(scene.tracks):
            known = labelled(track, frame, ranks=ranks, rank=own[index])
            for x, y in track.keypoints[frame][known].tolist():
                assert ranks[round(y), round(x)] >= own[index]
                checked += 1
    assert checked > 100


def test_nobody_of_the_training_videos_appears_in_the_validation_videos(tiny: DrawConfig) -> None:
    looks = {"train": set(), "val": set()}  # type: dict[str, set[Any]]
    people = 0
    for plan in plan_videos(tiny):
        looks[plan.split] |= {draw_appearance(tiny.seed, plan.first_person + index) for index in range(plan.people)}
        people += plan.people

    assert not looks["train"] & looks["val"]
    assert len(looks["train"] | looks["val"]) == people


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    function: Callable[..., Path] = importlib.import_module("tests.world.drawn").draw_world
    return digests(function(tmp_path_factory.mktemp("small") / "drawn", **SMALL))


def test_the_same_seed_draws_the_same_bytes_with_one_and_with_two_processes(
    tmp_path: Path, small: dict[str, str], draw_world: Callable[..., Path]
) -> None:
    together = digests(draw_world(tmp_path / "together", **SMALL, workers=2))

    assert len(small) == 4 + 4 + 2
    assert together == small


def test_another_seed_draws_another_dataset(
    tmp_path: Path, small: dict[str, str], draw_world: Callable[..., Path]
) -> None:
    other = digests(draw_world(tmp_path / "other", **SMALL, seed=1))

    assert other.keys() == small.keys()
    assert not set(other.values()) & set(small.values())


def test_a_folder_with_something_in_it_is_refused_and_left_alone(
    tmp_path: Path, draw_world: Callable[..., Path]
) -> None:
    (tmp_path / "kept.txt").write_text("kept")

    with pytest.raises(Refusal, match="wanted a new or empty one"):
        draw_world(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_contact_sheet_shows_pairs_of_frames_without_and_with_labels(drawn_world: Path, tmp_path: Path) -> None:
    contact_sheet(drawn_world, tmp_path / "sheet.jpg")

    sheet = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert sheet is not None
    assert sheet.shape[0] == 5 * 180
    plain, marked = sheet[:180, : sheet.shape[1] // 4], sheet[:180, sheet.shape[1] // 4 : sheet.shape[1] // 2]
    assert 0.002 < float((cv2.absdiff(plain, marked).max(axis=2) > 60).mean()) < 0.3
