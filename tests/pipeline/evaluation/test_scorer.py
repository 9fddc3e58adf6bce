import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsn.skeleton import POSETRACK
from pipeline.evaluation.oks import found_people, oks_ap
from pipeline.evaluation.scorer import by_video, scorer_of, scorer_of_some
from pipeline.evaluation.statistics import drawn_oks_ap
from pipeline.posetrack.index import read_index
from tests.world import formats

CLIPS = importlib.import_module("tests.world.clips")
VIDEOS = ("a", "b", "c")


def truth() -> pd.DataFrame:
    """Three videos of three frames with four people each, the last without a labelled joint in every other frame."""
    rng = np.random.default_rng(0)
    rows = []
    for video in VIDEOS:
        for frame in range(3):
            for person in range(4):
                keypoints = np.concatenate([rng.uniform(0, 100, (17, 2)), np.ones((17, 1))], axis=1)
                if person == 3 and frame % 2 == 0:
                    keypoints[:] = 0
                rows.append(
                    {
                        "video": video,
                        "frame": frame,
                        "frame_id": frame,
                        "person": person,
                        "bbox": [100.0 * person, 0.0, 100.0 * person + 80, 120.0],
                        "keypoints": (keypoints + [100.0 * person, 0, 0] * (keypoints[:, 2:] > 0)).ravel(),
                    }
                )
    return pd.DataFrame(rows)


def near(people: pd.DataFrame, *, spread: float, seed: int) -> pd.DataFrame:
    """Poses of three quarters of the people, some farther off than others, and one in each frame that is nobody's."""
    rng = np.random.default_rng(seed)
    some = people.sample(frac=0.75, random_state=seed).sort_index()
    spreads = spread * rng.uniform(0.1, 2, (len(some), 1, 1))
    points = np.stack(some["keypoints"].to_list()).reshape(-1, 17, 3)[:, :, :2] + spreads * rng.normal(size=(17, 2))
    others = people[people["person"] == 0]
    nobodys = rng.uniform(500, 600, (len(others), 34))
    rows = pd.concat(
        [some.assign(keypoints=list(points.reshape(-1, 34))), others.assign(keypoints=list(nobodys))], ignore_index=True
    )
    rows["scores"] = list(rng.uniform(0, 1, (len(rows), 17)))
    return rows[["video", "frame", "frame_id", "person", "keypoints", "scores"]]


def repeated(table: pd.DataFrame, times: list[int]) -> pd.DataFrame:
    """Each video so often, under another name each time."""
    copies = [
        table[table["video"] == video].assign(video=f"{video}{copy}")
        for video, count in zip(VIDEOS, times, strict=True)
        for copy in range(count)
    ]
    return pd.concat(copies, ignore_index=True)


@pytest.mark.parametrize("spread", [3.0, 8.0, 40.0])
def test_each_video_once_is_what_xtcocotools_says(spread: float) -> None:
    people = truth()
    rows = near(people, spread=spread, seed=1)

    drawn = drawn_oks_ap(found_people(people, rows, skeleton=POSETRACK), np.ones((1, 3), dtype=np.int64))

    assert drawn[0] == pytest.approx(oks_ap(people, rows, skeleton=POSETRACK)["AP"], abs=1e-9)
    assert 0 < drawn[0] < 100


@pytest.mark.parametrize("times", [[2, 0, 1], [0, 3, 0], [1, 1, 4]])
def test_a_draw_is_what_xtcocotools_says_of_the_videos_it_repeats(times: list[int]) -> None:
    people = truth()
    rows = near(people, spread=8.0, seed=2)

    drawn = drawn_oks_ap(found_people(people, rows, skeleton=POSETRACK), np.array([times]))

    wanted = oks_ap(repeated(people, times), repeated(rows, times), skeleton=POSETRACK)["AP"]
    assert drawn[0] == pytest.approx(wanted, abs=1e-9)


def test_a_video_in_which_nobody_is_found_has_0_and_one_that_shows_nobody_has_no_score() -> None:
    people = truth()
    rows = near(people, spread=3.0, seed=3)
    blank = people.copy()
    blank["keypoints"] = [row * (video != "c") for video, row in zip(people["video"], people["keypoints"], strict=True)]

    drawn = drawn_oks_ap(found_people(blank, rows[rows["video"] != "b"], skeleton=POSETRACK), np.eye(3, dtype=np.int64))

    assert drawn[0] > 0
    assert drawn[1] == 0
    assert np.isnan(drawn[2])


@pytest.fixture(scope="module", params=["official", "own"])
def index(request: pytest.FixtureRequest, drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorer")
    root = drawn_world if request.param == "official" else formats.own(drawn_world, folder / "world")
    CLIPS.prepared(root, folder / "index")
    return folder / "index"


def test_the_skeleton_decides_what_is_measured_and_labels_as_predictions_are_best(index: Path) -> None:
    read, folder = read_index(index), index / "truth" / "val"
    scorer = scorer_of(read, folder)
    people = read.people[read.people["video"].isin(scorer.videos)]
    right = perfect(people)
    wrong = right.assign(keypoints=[row + 1000.0 for row in right["keypoints"]])

    assert scorer.metric == ("PoseTrack AP" if read.skeleton == POSETRACK else "OKS-AP")
    assert list(by_video(scorer, right)) == ["005001_mpii_test", "005002_mpii_test"]
    # The official protocol takes a pose's joints that nobody has labelled for wrong.
    least = 80.0 if read.skeleton == POSETRACK else 99.99
    assert all(score is not None and score > least for score in by_video(scorer, right).values())
    assert set(by_video(scorer, wrong).values()) == {0}


def test_people_without_a_prediction_count_unless_only_some_are_scored(index: Path) -> None:
    read, folder = read_index(index), index / "truth" / "val"
    people = read.people[read.people["video"].isin(scorer_of(read, folder).videos)]
    some = perfect(people[people["track_id"] == people["track_id"].min()])
    once = np.ones((1, len(scorer_of(read, folder).videos)), dtype=np.int64)

    everybody = scorer_of(read, folder).drawn(some, once)[0]
    alone = scorer_of_some(read, folder, rows=some).drawn(some, once)[0]

    assert everybody < alone


def perfect(people: pd.DataFrame) -> pd.DataFrame:
    """The labels as predictions."""
    points = [np.reshape(row, (-1, 3))[:, :2].ravel() for row in people["keypoints"]]
    columns: dict[str, Any] = {"keypoints": points, "scores": [np.full(len(row) // 2, 0.9) for row in points]}
    return people[["video", "frame", "frame_id", "person", "track_id"]].assign(**columns)
