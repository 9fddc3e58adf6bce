import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.evaluation.loading import read_video
from pipeline.refusal import Refusal
from tests.world.footage import (
    FPS,
    drawn_frames,
    spoil_frame,
    turn_by_metadata,
    write_images,
    write_mp4,
    write_photos,
)

WriteBoxes = Callable[..., Path]
ROOT = Path(__file__).parents[3]
DETECTOR = "fasterrcnn_mobilenet_v3_large_320_fpn"


def run(*arguments: str | Path, code: int = 0) -> str:
    """What the verb prints."""
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)], catch_exceptions=True)
    if isinstance(done.exception, Refusal):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def standing(frames: int) -> list[tuple[int, ...]]:
    """The boxes of two people who stand in all frames but the third."""
    return [(frame, x, 20, 40, 60) for frame in range(frames) if frame != 2 for x in (5, 90)]


@pytest.fixture
def predicted(tmp_path: Path, model: Path, write_boxes: WriteBoxes) -> Path:
    """The outputs for a video of eight frames, the sixth of them corrupt."""
    video = write_mp4(tmp_path / "walk.mp4", drawn_frames(8))
    spoil_frame(video, 5)
    told = run(
        video, "--model", model, "--boxes", write_boxes(*standing(8), (99, 1, 1, 9, 9)), "--out", tmp_path / "out"
    )
    assert "12 poses in 8 frames, 2 with nobody, 1 that cannot be decoded, 1 boxes in frames that there are not" in told
    return tmp_path / "out"


def test_posetrack18s_file_has_every_frame_and_can_be_scored(predicted: Path) -> None:
    video = read_video(predicted / "posetrack18" / "walk.json")

    assert video.frame_ids == tuple(range(8))
    assert np.bincount(video.people.frame, minlength=8).tolist() == [2, 2, 0, 2, 2, 0, 2, 2]
    assert set(video.people.track_id.tolist()) == {0, 1}
    assert video.people.present.all()


def test_coco_results_and_the_table_hold_the_same_poses(predicted: Path) -> None:
    results = read_json(predicted / "walk.coco.json")
    with (predicted / "walk.csv").open() as file:
        rows = list(csv.DictReader(file))

    assert len(results) == 12
    assert all(len(result["keypoints"]) == 51 and 0 <= result["image_id"] < 8 for result in results)
    assert results[0]["bbox"] == [5.0, 20.0, 40.0, 60.0]
    people = [row for row in rows if row["track_id"]]
    assert [float(row["nose_x"]) for row in people] == pytest.approx([one["keypoints"][0] for one in results], abs=0.01)
    assert [(row["frame"], row["state"]) for row in rows if not row["track_id"]] == [("2", "read"), ("5", "unreadable")]


def test_the_overlay_has_every_frame_at_the_videos_rate(predicted: Path) -> None:
    capture = cv2.VideoCapture(str(predicted / "walk.mp4"))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])

    assert capture.get(cv2.CAP_PROP_FPS) == FPS
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == b"VP90"
    assert [frame.shape for frame in frames] == [(90, 160, 3)] * 8
    colours = [int(frame.max(axis=2).astype(int).sum() - frame.min(axis=2).astype(int).sum()) for frame in frames]
    assert min(colours[:2]) > 2 * colours[2]  # the drawn frames are grey, and the third shows nobody
    capture.release()


def test_the_record_says_what_was_asked_for_and_what_became_of_it(predicted: Path, model: Path) -> None:
    record = read_json(predicted / "run.json")

    assert record["config"]["model"] == str(model)
    assert not record["is_interrupted"]
    told = record["videos"]["walk"]
    assert (told["announced"], told["frames"], told["unreadable"], told["poses"]) == (8, 8, [5], 12)
    assert told["boxes"] == {"used": 14, "in frames that there are not": 1}


def test_images_and_several_videos_are_predicted_at_once(
    tmp_path: Path, single_model: Path, write_boxes: WriteBoxes
) -> None:
    write_images(tmp_path / "images", drawn_frames(3))
    write_mp4(tmp_path / "walk.mp4", drawn_frames(4))
    boxes = write_boxes(*standing(3), videos=("images", "walk"))

    printed = run(
        tmp_path / "images", str(tmp_path / "*.mp4"), "--model", single_model, "--boxes", boxes,
        "--out", tmp_path / "out", "--no-overlay", "--json", "--smooth", "savgol",
    )  # fmt: skip

    videos = json.loads(printed)["videos"]
    assert {name: (told["frames"], told["poses"]) for name, told in videos.items()} == {
        "images": (3, 4),
        "walk": (4, 4),
    }
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert names == [
        "images.coco.json", "images.csv", "posetrack18/images.json", "posetrack18/walk.json", "run.json",
        "walk.coco.json", "walk.csv",
    ]  # fmt: skip


def test_a_video_that_cannot_be_read_ends_alone_and_is_told(
    tmp_path: Path, single_model: Path, write_boxes: WriteBoxes
) -> None:
    for name in ("broken", "grows", "walk"):
        write_images(tmp_path / name, drawn_frames(3))
    for file in (tmp_path / "broken").iterdir():
        file.write_bytes(b"")
    write_images(tmp_path / "large", drawn_frames(1, size=(80, 100))).joinpath("000000.png").rename(
        tmp_path / "grows" / "000002.png"
    )
    sources = [tmp_path / name for name in ("broken", "grows", "walk")]
    boxes = write_boxes(*standing(3), videos=("broken", "grows", "walk"))

    with pytest.raises(Refusal, match=r"got 2 of 3 videos that cannot be read to the end, broken, grows; .*run\.json"):
        run(*sources, "--model", single_model, "--boxes", boxes, "--out", tmp_path / "out")

    videos = read_json(tmp_path / "out" / "run.json")["videos"]
    assert videos["broken"]["refused"].endswith("got no frame that can be decoded, wanted at least one")
    assert "got images of 160 x 90 and 100 x 80 pixels" in videos["grows"]["refused"]
    assert (videos["walk"]["frames"], videos["walk"]["poses"]) == (3, 4)


def test_online_takes_a_causal_model_and_tells_its_latency(
    tmp_path: Path, causal_model: Path, write_boxes: WriteBoxes
) -> None:
    video, boxes = write_mp4(tmp_path / "walk.mp4", drawn_frames(6)), write_boxes(*standing(6))

    told = run(
        video, "--model", causal_model, "--boxes", boxes, "--out", tmp_path / "out", "--online", "--smooth", "one-euro"
    )

    latency = read_json(tmp_path / "out" / "run.json")["videos"]["walk"]["latency"]
    assert f"latency {latency['median_ms']} ms, p95 {latency['p95_ms']} ms" in told
    assert 0 < latency["median_ms"] <= latency["p95_ms"]


@pytest.mark.parametrize("kind", ["photos", "video"])
def test_boxes_lie_in_what_is_shown_also_where_metadata_turn_it(
    tmp_path: Path, single_model: Path, write_boxes: WriteBoxes, kind: str
) -> None:
    if kind == "photos":
        source = write_photos(tmp_path / "walk", drawn_frames(2), orientation=6)
    else:
        source = write_mp4(tmp_path / "walk.mp4", drawn_frames(2))
        turn_by_metadata(source)
    boxes = write_boxes((0, 30, 100, 50, 55))  # below the 90 rows that are stored

    run(source, "--model", single_model, "--boxes", boxes, "--out", tmp_path / "out")

    (person,) = read_json(tmp_path / "out" / "walk.coco.json")
    assert person["bbox"] == [30, 100, 50, 55]
    capture = cv2.VideoCapture(str(tmp_path / "out" / "walk.mp4"))
    assert capture.read()[1].shape == (160, 90, 3)
    capture.release()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--online"], r"got model.clip.offsets \[-2, -1, 1, 2\], whose poses come 2 frames late"),
        (["--online", "--smooth", "savgol"], "which looks ahead; wanted one-euro or none"),
        (["--boxes", "detect"], "got no --detector-weights"),
        (["--boxes", "absent.json"], "no such file, wanted boxes"),
        (["--model", "absent"], "absent, which is no folder"),
        (["--fps", "0"], "--fps: got 0.0"),
    ],
)
def test_what_does_not_go_together_is_refused_and_leaves_nothing(
    tmp_path: Path, model: Path, write_boxes: WriteBoxes, arguments: list[str], told: str
) -> None:
    video = write_mp4(tmp_path / "walk.mp4", drawn_frames(2))

    with pytest.raises(Refusal, match=told):
        run(video, "--model", model, "--boxes", write_boxes(*standing(2)), "--out", tmp_path / "out", *arguments)

    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_and_stays_as_it_is(tmp_path: Path, model: Path, write_boxes: WriteBoxes) -> None:
    video = write_mp4(tmp_path / "walk.mp4", drawn_frames(2))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    with pytest.raises(Refusal, match="got a folder with files in it"):
        run(video, "--model", model, "--boxes", write_boxes(*standing(2)), "--out", tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_ctrl_c_leaves_whole_files_and_says_so(tmp_path: Path, model: Path, write_boxes: WriteBoxes) -> None:
    video = write_mp4(tmp_path / "walk.mp4", drawn_frames(400))
    boxes = write_boxes(*((frame, x, 20, 40, 60) for frame in range(400) for x in (5, 90)))
    command = [sys.executable, "-m", "pipeline", "predict", str(video), "--model", str(model), "--boxes", str(boxes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    process = subprocess.Popen([*command, "--out", str(tmp_path / "out")], cwd=ROOT, env=environment)
    table = tmp_path / "out" / "walk.csv"
    while not (table.is_file() and table.stat().st_size > 8192):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=120) == 130
    record = read_json(tmp_path / "out" / "run.json")
    frames = record["videos"]["walk"]["frames"]
    assert record["is_interrupted"]
    assert 0 < frames < 400
    assert len(read_video(tmp_path / "out" / "posetrack18" / "walk.json").frames) == frames
    assert len(read_json(tmp_path / "out" / "walk.coco.json")) == 2 * frames
    capture = cv2.VideoCapture(str(tmp_path / "out" / "walk.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == frames
    capture.release()


def random_detector(path: Path) -> Path:
    """The weights of a detector that learned nothing."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(DETECTOR, weights=None, weights_backbone=None, num_classes=91)
    torch.save(network.state_dict(), path)
    return path


def test_a_detector_of_torchvision_takes_the_place_of_a_file(tmp_path: Path, model: Path) -> None:
    video, weights = write_mp4(tmp_path / "walk.mp4", drawn_frames(2)), random_detector(tmp_path / "detector.pth")

    run(
        video, "--model", model, "--boxes", "detect", "--detector", DETECTOR, "--detector-weights", weights,
        "--out", tmp_path / "out",
    )  # fmt: skip

    assert read_json(tmp_path / "out" / "run.json")["videos"]["walk"]["frames"] == 2


def test_real_frames_are_predicted_and_scored(tmp_path: Path, model: Path, posetrack_sample: Path) -> None:
    labels = posetrack_sample / "posetrack_data" / "annotations" / "val" / "470980_bonn_test.json"
    images = posetrack_sample / "images" / "val" / "470980_bonn_test"

    run(images, "--model", model, "--boxes", labels, "--out", tmp_path / "out", "--no-overlay")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / labels.name).write_bytes(labels.read_bytes())
    done = CliRunner().invoke(
        app, ["score", "--gt", str(tmp_path / "truth"), "--pred", str(tmp_path / "out" / "posetrack18")]
    )

    assert done.exit_code == 0
    assert "17 frames" in done.stdout
