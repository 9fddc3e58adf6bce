"""Real frames as a video: predicted with the boxes of their labels, and every frame scored."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import read_json
from tests.world.footage import write_mp4

PEOPLE = 4


def run(verb: str, *arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [verb, *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def boxes_by_frame(document: dict[str, Any], *, size: tuple[int, int]) -> dict[tuple[int, int], list[float]]:
    """Corners inside the frame, by the frame's position in `images` and the track."""
    positions = {image["id"]: at for at, image in enumerate(document["images"])}
    limits = [size[1], size[0], size[1], size[0]]
    found = {}
    for one in document["annotations"]:
        x, y, width, height = one["bbox"]
        corners = np.clip([x, y, x + width, y + height], 0, limits)
        found[positions[one["image_id"]], one["track_id"]] = corners.tolist()
    return found


@pytest.mark.parametrize(
    ("split", "name", "frames"), [("train", "470979_bonn_train", 24), ("val", "470980_bonn_test", 17)]
)
def test_every_frame_and_person_of_a_real_video_is_predicted_and_scored(
    posetrack_sample: Path, model: Path, tmp_path: Path, split: str, name: str, frames: int
) -> None:
    pictures = [cv2.imread(str(path)) for path in sorted((posetrack_sample / "images" / split / name).glob("*.jpg"))]
    video = write_mp4(tmp_path / f"{name}.mp4", np.stack([one for one in pictures if one is not None]))
    labels = posetrack_sample / "posetrack_data" / "annotations" / split / f"{name}.json"
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / labels.name).write_bytes(labels.read_bytes())

    out = tmp_path / "out"
    run("predict", video, "--model", model, "--boxes", labels, "--out", out, "--no-overlay")
    told = run("score", "--gt", tmp_path / "truth", "--pred", out / "posetrack18", "--boxes", "labels", "--json")

    record = read_json(out / "run.json")["videos"][name]
    assert (record["frames"], record["poses"]) == (frames, PEOPLE * frames)
    assert (record["unreadable"], record["frames_with_nobody"], record["boxes"]) == ([], 0, {"used": PEOPLE * frames})
    with (out / f"{name}.csv").open() as file:
        assert [int(row["frame"]) for row in csv.DictReader(file)] == [at for at in range(frames) for _ in "four"]
    predicted = read_json(out / "posetrack18" / f"{name}.json")
    assert len(predicted["images"]) == frames
    wanted = boxes_by_frame(read_json(labels), size=(540, 960))
    found = boxes_by_frame(predicted, size=(540, 960))
    assert found.keys() == wanted.keys()
    assert np.allclose([found[key] for key in wanted], [*wanted.values()], atol=0.02)
    scores = json.loads(told)
    assert scores["n_gt_frames_evaluated"] == frames
    assert scores["mot"] is not None
    assert f"(1 videos, {frames} frames evaluated)" in scores["metric"]
