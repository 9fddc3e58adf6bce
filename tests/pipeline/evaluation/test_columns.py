"""Files that Arrow reads, files that it does not, and files that it must not be given."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.columns import read_columns
from pipeline.refusal import Refusal

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]
TOO_LARGE = "1e999"
"""A number under an unknown key that Arrow's reader gives up on, and that nobody reads."""


@pytest.fixture
def posetrack18(person: Build, document: Build, full_pose: Pose) -> Json:
    people = [person(frame, full_pose, track=7, score=0.123456789012345678) for frame in range(2)] + [person(1, {})]
    return document(3, people, ignore_regions_x=[[1, 2, 3.5]], ignore_regions_y=[[4, 5, 6]])


@pytest.fixture
def posetrack17() -> Json:
    points = [{"id": [number], "x": [number / 3], "y": [5], "score": [1 / (number + 1)]} for number in range(15)]
    rects: list[Json] = [
        {"track_id": [3], "annopoints": [{"point": points}], "x1": [1], "y1": [2], "x2": [3], "y2": [4.5]},
        {"annopoints": [{}]},
        {"annopoints": []},
        {},
    ]
    region = {"point": [{"x": [1], "y": [2]}, {"x": [3], "y": [4]}, {"x": [5], "y": [0.5]}]}
    return {"annolist": [{"annorect": rects, "image": [{"name": "a"}]}, {"annorect": [], "ignore_regions": [region]}]}


@pytest.mark.parametrize("kind", ["posetrack17", "posetrack18"])
def test_a_file_that_arrow_gives_up_on_has_the_same_columns(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    text = json.dumps(request.getfixturevalue(kind))
    (tmp_path / "plain.json").write_text(text)
    (tmp_path / "odd.json").write_text(f'{text[:-1]}, "note": {TOO_LARGE}}}')

    plain, odd = (read_columns(tmp_path / f"{name}.json") for name in ("plain", "odd"))

    for name in ("annolist", "images", "annotations", "categories"):
        column = getattr(plain, name)
        assert (column is None) == (getattr(odd, name) is None)
        assert column is None or column.to_pylist() == getattr(odd, name).to_pylist()


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(-1e3, 1e3, 5_000).tolist()
    annotation = {"image_id": 2**53 + 1, "track_id": -(2**60) - 1, "keypoints": values}
    file = {"images": [], "annotations": [annotation], "categories": []}
    (tmp_path / "file.json").write_text(json.dumps(file))

    [read] = read_columns(tmp_path / "file.json").annotations.to_pylist()

    assert (read["keypoints"], read["image_id"], read["track_id"]) == (values, 2**53 + 1, -(2**60) - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b" \n null",
        b"",
        b"{}x",
        b'{"images": []}{"images": []}',
        b'{"annolist": [{"annorect": [{"x1": [1, 2]}]}]}',
        b'{"annolist": [{"annorect": [{"x1": []}]}]}',
        b'{"annolist": [{"annorect": [{"track_id": [10000]}]}]}',
        b'{"annolist": [{"annorect": [{"annopoints": [{"point": [{"id": [0], "x": [1], "y": 2}]}]}]}]}',
        b'{"annolist": [{"annorect": null}]}',
        b'{"annotations": [{"image_id": 1.0, "track_id": 0, "keypoints": []}]}',
        b'{"annotations": [{"image_id": true, "track_id": 0, "keypoints": []}]}',
        b'{"annotations": [{"image_id": 1, "track_id": 0, "keypoints": ["1"]}]}',
        b'{"annotations": [{"image_id": 99999999999999999999, "track_id": 0, "keypoints": []}]}',
        b'{"images": [{"id": 0, "file_name": "\xff"}]}',
        b'{"annotations": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_of_this_shape_is_refused_in_one_line_with_the_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file.json").write_bytes(data)

    with pytest.raises(Refusal) as refusal:
        read_columns(tmp_path / "file.json")

    assert str(refusal.value).startswith(f"{tmp_path / 'file.json'}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("cut", [1, 10, 100, 1000])
def test_a_truncated_file_is_refused(tmp_path: Path, posetrack18: Json, cut: int) -> None:
    (tmp_path / "file.json").write_text(json.dumps(posetrack18)[:-cut])

    with pytest.raises(Refusal, match="wanted a PoseTrack17 or PoseTrack18 JSON file"):
        read_columns(tmp_path / "file.json")
