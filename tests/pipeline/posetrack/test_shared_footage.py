from pathlib import Path

import pandas as pd
import pytest

from pipeline.posetrack.leakage import find_leaks

Footage = dict[str, tuple[str, list[str]]]
"""For each video its split and what its frames hold; equal texts are equal images."""


def leaks(root: Path, footage: Footage) -> list[tuple[tuple[str, str], tuple[str, str], tuple[str, str], int]]:
    rows = []
    for video, (split, contents) in footage.items():
        for position, content in enumerate(contents):
            file = f"{video}/{position}.jpg"
            (root / video).mkdir(exist_ok=True)
            (root / file).write_text(content)
            rows.append({"video": video, "split": split, "file": file})
    return [(leak.videos, leak.splits, leak.files, leak.pairs) for leak in find_leaks(pd.DataFrame(rows), root)]


def test_footage_at_another_place_of_another_video_is_found(tmp_path: Path) -> None:
    found = leaks(
        tmp_path, {"a": ("train", ["1", "22", "333", "4444"]), "b": ("val", ["55555", "22", "333", "666666"])}
    )

    assert found == [(("a", "b"), ("train", "val"), ("a/1.jpg", "b/1.jpg"), 1)]


def test_one_equal_frame_is_no_footage(tmp_path: Path) -> None:
    assert leaks(tmp_path, {"a": ("train", ["1", "22", "333"]), "b": ("val", ["4444", "22", "55555"])}) == []


def test_equal_sizes_with_other_contents_are_no_footage(tmp_path: Path) -> None:
    assert leaks(tmp_path, {"a": ("train", ["1", "22", "333"]), "b": ("val", ["2", "33", "444"])}) == []


def test_still_pictures_prove_nothing(tmp_path: Path) -> None:
    assert leaks(tmp_path, {"a": ("train", ["00", "00", "00"]), "b": ("val", ["00", "00", "00"])}) == []


def test_footage_twice_in_one_video_is_no_leak(tmp_path: Path) -> None:
    assert leaks(tmp_path, {"a": ("train", ["1", "22", "333", "1", "22"]), "b": ("val", ["4444", "55555"])}) == []


def test_every_two_of_three_videos_are_named_in_order(tmp_path: Path) -> None:
    same = ["1", "22", "333"]

    found = leaks(tmp_path, {"c": ("val", same), "a": ("train", same), "b": ("select", same)})

    assert [(videos, splits, pairs) for videos, splits, _, pairs in found] == [
        (("a", "b"), ("train", "select"), 2),
        (("a", "c"), ("train", "val"), 2),
        (("b", "c"), ("select", "val"), 2),
    ]


@pytest.mark.parametrize(("other", "reached"), [("val", [True]), ("select", [False])])
def test_what_is_shared_with_val_is_told_from_what_training_videos_share(
    tmp_path: Path, other: str, reached: list[bool]
) -> None:
    (tmp_path / "x").write_text("1")
    (tmp_path / "y").write_text("22")
    frames = pd.DataFrame({"video": list("aabb"), "split": ["train"] * 2 + [other] * 2, "file": list("xyxy")})

    assert [leak.reaches_val for leak in find_leaks(frames, tmp_path)] == reached
