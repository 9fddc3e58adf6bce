import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import read_json
from pipeline.posetrack.boxes import BoxesConfig, bare
from pipeline.posetrack.index import Index, PrepareConfig, add_detected, build_index, prepare, read_index
from pipeline.refusal import Refusal
from tests.world import formats
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())
VIDEO, FIRST = "000009_bonn_test", 10_000_090_000
FILE = "boxes.json"
DRAWN = "005001_mpii_test"
"""The first video of the drawn world's val."""


def by_id(frame: int, score: float = 0.5, **changes: Any) -> dict[str, Any]:
    """An entry of mmpose's schema: a box of 20 x 30 in a frame of val."""
    return {"bbox": [8, 15, 20, 30], "category_id": 1, "image_id": FIRST + frame, "score": score} | changes


def by_name(frame: int, score: float = 0.5, *, folder: str = "") -> dict[str, Any]:
    """An entry of PoseWarper's schema."""
    name = f"{folder}val/{VIDEO}/{frame:06d}.jpg"
    return {"image_name": name, "bbox": [8, 15, 20, 30], "category_id": 1, "score": score, "nframes": 5, "frame_id": 1}


@pytest.fixture
def detect(tree: Path) -> Callable[..., tuple[Index, dict[str, Any]]]:
    def detect(entries: list[Any], min_score: float = 0.4, root: Path = tree) -> tuple[Index, dict[str, Any]]:
        (root / FILE).write_text(json.dumps(entries))
        return add_detected(build_index(root, CONFIG)[0], root, BoxesConfig(file=Path(FILE), min_score=min_score))

    return detect


def places(index: Index) -> list[tuple[int, int, float]]:
    """Frame, person and score of whom a detector found."""
    found = index.people[index.people["score"].notna()]
    return list(zip(found["frame"], found["person"], found["score"], strict=True))


def test_both_schemas_give_the_same_people(detect: Callable[..., Any]) -> None:
    named, _ = detect([by_name(1, 0.5), by_name(0, 0.6), by_name(0, 0.9)])
    numbered, _ = detect([by_id(0, 0.9), by_id(0, 0.6), by_id(1, 0.5)])
    prefixed, _ = detect([by_name(0, 0.9, folder="images/"), by_name(0, 0.6), by_name(1, 0.5, folder="images/")])

    assert places(named) == places(numbered) == places(prefixed) == [(0, 2, 0.9), (0, 3, 0.6), (1, 2, 0.5)]


def test_a_detected_person_has_a_box_and_a_score_and_neither_joints_nor_a_track(detect: Callable[..., Any]) -> None:
    index, _ = detect([by_id(0), by_id(1)])

    people = index.people[index.people["score"].notna()]
    assert [row.tolist() for row in people["bbox"]] == [[8, 15, 28, 45]] * 2
    assert not np.stack(people["keypoints"].tolist()).any()
    assert np.isnan(np.stack(people["head_bbox"].tolist())).all()
    assert people["track_id"].tolist() == [-1, -2]
    assert people["frame_id"].tolist() == [FIRST, FIRST + 1]


def test_the_annotated_people_stay_as_they_are(detect: Callable[..., Any], tree: Path) -> None:
    index, _ = detect([by_id(0)])

    before = build_index(tree, CONFIG)[0].people
    kept = index.people[index.people["score"].isna()]
    columns = ["video", "frame", "person", "track_id"]
    assert kept[columns].to_numpy().tolist() == before[columns].to_numpy().tolist()


def test_what_is_left_out_is_counted_by_reason(detect: Callable[..., Any]) -> None:
    entries = [by_id(0), by_id(0, 0.39), by_id(99), by_id(1, bbox=[8, 15, 0, 30]), by_id(1, category_id=2)]

    _, told = detect(entries)

    assert told["counts"] == {
        "used": 1,
        "bbox has no area": 1,
        "no person": 1,
        "not in a labelled frame of val": 1,
        "score too low": 1,
        "labelled frames without a box": 4,
    }


def test_a_file_without_one_detection_that_can_be_used_is_refused(detect: Callable[..., Any]) -> None:
    flat = by_id(0, bbox=[8, 15, 0, 30])

    with pytest.raises(
        Refusal,
        match=r"got 4 detections and left out all \(score too low: 2, bbox has no area: 1, no person: 1\), "
        r"wanted at least one that can be used; lower `data\.boxes\.min_score`",
    ):
        detect([by_id(0, 0.1), by_id(1, 0.3), flat, by_id(0, category_id=2)])


def test_a_score_at_the_threshold_counts(detect: Callable[..., Any]) -> None:
    assert places(detect([by_id(0, 0.4), by_id(1, 0.3999)])[0]) == [(0, 2, 0.4)]


def test_the_source_is_named_and_hashed_in_the_index(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out") / "index"
    (tree / "detections").mkdir()
    (tree / "detections" / FILE).write_text(json.dumps([by_id(0)]))
    boxes = BoxesConfig(file=Path("detections", FILE), min_score=0.4)

    prepare(tree, out, CONFIG, boxes=boxes)

    wanted = hashlib.sha256((tree / "detections" / FILE).read_bytes()).hexdigest()
    index, told = read_index(out), read_json(out / "checks.json")["boxes"]
    assert index.boxes is not None
    assert (index.boxes.file, index.boxes.sha256, index.boxes.min_score) == ("detections/boxes.json", wanted, 0.4)
    assert (told["file"], told["sha256"], told["min_score"]) == ("detections/boxes.json", wanted, 0.4)
    assert str(index.boxes) == f"detected (boxes.json, sha256 {wanted[:12]}, score at least 0.4)"
    assert places(index) == [(0, 2, 0.5)]

    prepare(tree, out, CONFIG)
    assert read_index(out).boxes is None
    assert not read_index(out).people["score"].notna().any()


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([by_id(99)], f"got {FIRST + 99}, wanted boxes in val's labelled frames, such as {FIRST}"),
        ([], f"got nothing, wanted boxes in val's labelled frames, such as val/{VIDEO}/000000.jpg"),
        ([by_id(0), by_name(0)], "got entries without image_id and without image_name"),
        ([by_id(0, bbox=[1, 2, 3])], "0.bbox"),
        ({"annotations": []}, "the file: input should be a valid array"),
    ],
)
def test_a_file_of_other_frames_or_another_schema_is_refused(
    entries: Any, told: str, detect: Callable[..., Any]
) -> None:
    with pytest.raises(Refusal, match=f"{FILE}: {told}"):
        detect(entries)


@pytest.mark.parametrize("file", ["/etc/passwd", "../boxes.json"])
def test_a_file_above_the_root_is_refused(file: str, tree: Path) -> None:
    with pytest.raises(Refusal, match=r"data.boxes.file: got .*, wanted a path that stays below the dataset's root"):
        prepare(tree, tree / "out", CONFIG, boxes=BoxesConfig(file=Path(file), min_score=0.4))


def test_an_absent_file_is_refused(tree: Path) -> None:
    with pytest.raises(Refusal, match=r"none.json: no such file, wanted detections; set `data.boxes.file`"):
        prepare(tree, tree / "out", CONFIG, boxes=BoxesConfig(file=Path("none.json"), min_score=0.4))


def test_posetrack17_is_joined_by_name_and_not_by_number(
    drawn_world: Path, tmp_path: Path, detect: Callable[..., Any]
) -> None:
    root = formats.posetrack17(drawn_world, tmp_path / "17")
    frames = build_index(root, CONFIG)[0].frames
    first = frames[(frames["split"] == "val") & frames["is_labeled"]].iloc[0]
    name = first["file"].removeprefix("images/")

    index, _ = detect([by_id(0) | {"image_id": None, "image_name": name}], root=root)

    found = index.people[index.people["score"].notna()]
    assert found[["video", "frame"]].to_numpy().tolist() == [[first["video"], first["frame"]]]
    with pytest.raises(Refusal, match="PoseTrack17 has no ids of frames; wanted boxes with image_name"):
        detect([by_id(0)], root=root)


def named(root: Path, detect: Callable[..., Any], name: str) -> list[tuple[str, int]]:
    """Video and frame of whom a box stands for that names its image so."""
    index, _ = detect([by_id(0) | {"image_id": None, "image_name": name}], root=root)
    found = index.people[index.people["score"].notna()]
    return list(zip(found["video"], found["frame"], strict=True))


def test_copies_names_are_not_looked_for_among_the_originals(
    drawn_world: Path, tmp_path: Path, detect: Callable[..., Any]
) -> None:
    root = formats.posetrack17(drawn_world, tmp_path / "17")
    name = f"bonn_5sec/{DRAWN}/00000001.jpg"

    assert named(root, detect, f"images/{name}") == named(root, detect, name) == [(DRAWN, 0)]
    with pytest.raises(
        Refusal, match=f"got images_renamed/{name}, wanted boxes in val's labelled frames, such as {name}"
    ):
        named(root, detect, f"images_renamed/{name}")


def test_a_lists_names_lead_to_its_copies_and_not_to_the_originals(
    drawn_world: Path, tmp_path: Path, detect: Callable[..., Any]
) -> None:
    root = formats.detect_and_track_list(drawn_world, tmp_path / "list")
    name = f"bonn_5sec/{DRAWN}/00000001.jpg"

    assert named(root, detect, f"images_renamed/{name}") == named(root, detect, name) == [(DRAWN, 0)]
    with pytest.raises(Refusal, match=f"got images/{name}, wanted boxes in val's labelled frames"):
        named(root, detect, f"images/{name}")


def test_a_lists_names_are_meant_also_where_its_images_lie_under_their_original_ones(
    drawn_world: Path, tmp_path: Path, detect: Callable[..., Any]
) -> None:
    root = formats.detect_and_track_list(drawn_world, tmp_path / "list", images="images")
    for path in (root / "posetrack17_json_files").iterdir():
        content = json.loads(path.read_text())
        for image in content["images"]:
            file = Path(image["file_name"])
            image["file_name"] = str(file.with_name(f"{int(file.stem) + 2:08d}.jpg"))
        path.write_text(json.dumps(content))

    assert named(root, detect, f"bonn_5sec/{DRAWN}/00000003.jpg") == [(DRAWN, 0)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images/val/v/1.jpg", "val/v/1.jpg"),
        ("images_renamed/bonn/v/1.jpg", "images_renamed/bonn/v/1.jpg"),
        ("./bonn/v/1.jpg", "bonn/v/1.jpg"),
        ("bonn/images/1.jpg", "bonn/images/1.jpg"),
        ("", ""),
    ],
)
def test_the_folder_of_images_is_no_part_of_a_name(name: str, expected: str) -> None:
    assert bare(name, folder="images") == expected
