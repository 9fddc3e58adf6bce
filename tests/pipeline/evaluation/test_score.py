"""What `python -m pipeline score` prints and writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.evaluation.score import score

Json = dict[str, Any]
Build = Callable[..., Json]


def test_the_table_is_aligned_and_the_file_has_the_official_keys(oracle: Path, tmp_path: Path) -> None:
    case = oracle / "p1_dense_noise"

    text = score(case / "gt", case / "pred", protocol="posetrack", boxes="Faster R-CNN", out=tmp_path / "score.json")

    header, ap, mota, *_ = text.splitlines()
    assert header.split() == ["Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total"]
    assert ap.split() == ["AP", "74.2", "75.8", "76.3", "76.5", "75.3", "76.1", "76.7", "75.7"]
    assert mota.split() == ["MOTA", "62.2", "67.9", "68.2", "68.7", "66.9", "68.3", "68.3", "66.9"]
    assert len({len(line) for line in (header, ap, mota)}) == 1
    expected = json.loads((case / "expected.json").read_text())
    written = json.loads((tmp_path / "score.json").read_text())
    assert written.pop("metric") in text
    assert written.pop("config")["boxes"] == "Faster R-CNN"
    assert written.keys() == expected.keys()


@pytest.mark.parametrize(("boxes", "named"), [(None, "boxes: not said"), ("ground truth", "boxes: ground truth")])
def test_the_metrics_name_says_box_source_and_label_version(
    tmp_path: Path, person: Build, document: Build, scored: Build, boxes: str | None, named: str
) -> None:
    pose = {"nose": (10.0, 10.0)}
    scored(document(2, [person(0, pose)]), document(2, [person(0, pose, score=0.5)]))

    text = score(tmp_path / "gt", tmp_path / "pred", protocol="posetrack", boxes=boxes, out=None)

    assert f"PoseTrack AP; {named}; labels: unknown (1 videos, 1 frames evaluated)" in text


def test_where_there_is_no_mota_the_text_says_why(oracle: Path) -> None:
    case = oracle / "p2_real_frames_ignore"

    text = score(case / "gt", case / "pred", protocol="posetrack", boxes=None, out=None)

    assert "no MOTA: " in text
    assert "got one frame with ground truth" in text


def test_an_ap_of_zero_shows_the_first_frames_of_both_sides(tmp_path: Path, person: Build, document: Build) -> None:
    truth = document(2, [person(frame, {"nose": (10.0, 10.0)}) for frame in range(2)])
    found = document(2, [person(frame, {"nose": (900.0, 10.0)}, score=0.5) for frame in range(2)])
    for entry in (*found["images"], *found["annotations"]):
        key = "id" if "id" in entry else "image_id"
        entry[key] += 70
    for side, content in (("gt", truth), ("pred", found)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "000001_mpii_test.json").write_text(json.dumps(content))

    text = score(tmp_path / "gt", tmp_path / "pred", protocol="posetrack", boxes=None, out=None)

    assert "AP is exactly 0: do the frames fit?" in text
    assert "starts with 0, 1 in" in text
    assert "with 70, 71 in" in text


def test_the_verb_prints_what_it_writes_as_json(tmp_path: Path, person: Build, document: Build, scored: Build) -> None:
    pose = {"nose": (10.0, 10.0)}
    scored(document(2, [person(0, pose)]), document(2, [person(0, pose, score=0.5)]))
    arguments = ["--gt", tmp_path / "gt", "--pred", tmp_path / "pred", "--out", tmp_path / "score.json", "--json"]

    done = CliRunner().invoke(app, ["score", *map(str, arguments)])

    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "score.json").read_text())
    assert told["ap"]["nose"] == 100.0
    assert told["config"] == {
        "gt": str(tmp_path / "gt"),
        "pred": str(tmp_path / "pred"),
        "protocol": "posetrack",
        "boxes": None,
    }
