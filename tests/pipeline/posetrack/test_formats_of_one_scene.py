"""One drawn scene in every format gives one index, but for the columns that a format cannot hold."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from dsn.skeleton import POSETRACK
from pipeline.evaluation.loading import read_video
from pipeline.evaluation.poseval import score_folders
from pipeline.posetrack.index import Index, PrepareConfig, build_index, prepare, read_index
from pipeline.posetrack.sources import find_source, write_truth
from tests.world import formats
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())
TABLES = ("videos", "frames", "people")

DIFFERS: dict[str, set[str]] = {
    "posetrack18": set(),
    # It has no ids of frames; its images have other names. It says of each joint whether it is visible.
    "posetrack17": {"frames.file", "frames.frame_id", "people.frame_id", "people.occluded"},
    "posetrack17_mat": {"frames.file", "frames.frame_id", "people.frame_id", "people.occluded"},
    # It alone knows people across videos; it too says which joints are visible.
    "posetrack21": {"people.person_id", "people.occluded"},
    "mmpose_list": set(),
    # Frames are numbered from 1 through all videos, images have other names, and bboxes follow a rule of their own.
    "detect_and_track_list": {"frames.file", "frames.frame_id", "people.frame_id", "people.bbox"},
}
"""Columns that differ from those of PoseTrack18, by format."""


@pytest.fixture(scope="module")
def official(drawn_world: Path) -> Index:
    return build_index(drawn_world, CONFIG)[0]


@pytest.fixture(scope="module")
def roots(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("formats")
    return {name: write(drawn_world, folder / name) for name, write in formats.WRITERS.items()}


def differing(one: Index, other: Index) -> set[str]:
    """Columns with other values; PoseTrack18 writes bboxes with four decimals, so they count as equal to 1e-3 px."""
    found = set()
    for name in TABLES:
        left, right = getattr(one, name), getattr(other, name)
        assert list(left.columns) == list(right.columns)
        assert len(left) == len(right)
        found |= {f"{name}.{column}" for column in left if not same(left[column], right[column])}
    return found


def same(left: "pd.Series[Any]", right: "pd.Series[Any]") -> bool:
    if isinstance(left.iloc[0], np.ndarray):
        atol = 1e-3 if left.name == "bbox" else 0
        return np.allclose(np.stack(left.tolist()), np.stack(right.tolist()), rtol=0, atol=atol, equal_nan=True)
    return left.dtype == right.dtype and left.equals(right)


@pytest.mark.parametrize("name", DIFFERS)
def test_the_index_is_the_same_but_for_what_a_format_cannot_hold(
    name: str, official: Index, roots: dict[str, Path]
) -> None:
    index, checks = build_index(roots[name], CONFIG)

    assert differing(official, index) == DIFFERS[name]
    assert checks["left_out"] == []


@pytest.mark.parametrize("name", formats.WRITERS)
def test_the_format_is_told_by_what_the_folder_holds(name: str, roots: dict[str, Path]) -> None:
    expected = {"mmpose_list": "merged", "detect_and_track_list": "merged", "own": "posetrack18"}

    source = find_source(roots[name])

    assert source.format == expected.get(name, name)
    assert source.skeleton == (formats.STICK if name == "own" else POSETRACK)


def test_mat_and_json_give_the_same_index_and_the_same_ground_truth(roots: dict[str, Path], tmp_path: Path) -> None:
    for name in ("posetrack17", "posetrack17_mat"):
        prepare(roots[name], tmp_path / name, CONFIG)

    one, other = (read_index(tmp_path / name) for name in ("posetrack17", "posetrack17_mat"))
    assert differing(one, other) == set()
    truths = [sorted((tmp_path / name / "truth" / "val").iterdir()) for name in ("posetrack17", "posetrack17_mat")]
    for json_file, mat_file in zip(*truths, strict=True):
        assert mat_file.name == json_file.name
        assert json.loads(mat_file.read_text()) == json.loads(json_file.read_text())


@pytest.mark.parametrize("name", DIFFERS)
def test_the_ground_truth_scores_against_that_of_posetrack18_as_that_does_against_itself(
    name: str, drawn_world: Path, roots: dict[str, Path], tmp_path: Path
) -> None:
    prepare(roots[name], tmp_path / "index", CONFIG)
    reference = drawn_world / formats.LABELS18 / "val"

    ours = score_folders(tmp_path / "index" / "truth" / "val", reference)

    assert ours == score_folders(reference, reference)


def test_ignore_regions_reach_the_ground_truth_of_every_format(
    drawn_world: Path, roots: dict[str, Path], tmp_path: Path
) -> None:
    wanted = regions(drawn_world / formats.LABELS18 / "val")
    assert any(wanted.values())

    for name in DIFFERS:
        write_truth(find_source(roots[name]), tmp_path / name)
        assert regions(tmp_path / name) == wanted


def regions(folder: Path) -> dict[str, dict[int, list[Any]]]:
    """Corners of the ignore regions, by file and frame."""
    videos = {path.name: read_video(path) for path in folder.iterdir()}
    return {
        name: {frame: [region.tolist() for region in own] for frame, own in video.regions.items()}
        for name, video in videos.items()
    }


def test_a_merged_list_in_another_order_gives_the_same_index(roots: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(roots["mmpose_list"], tmp_path / "shuffled")
    for path in (tmp_path / "shuffled/annotations").iterdir():
        content = json.loads(path.read_text())
        np.random.default_rng(0).shuffle(content["images"])
        path.write_text(json.dumps(content))

    shuffled, _ = build_index(tmp_path / "shuffled", CONFIG)

    assert differing(build_index(roots["mmpose_list"], CONFIG)[0], shuffled) == set()


def test_images_of_a_merged_list_are_found_in_either_folder(
    drawn_world: Path, roots: dict[str, Path], tmp_path: Path
) -> None:
    plain = formats.detect_and_track_list(drawn_world, tmp_path / "plain", images="images")

    found, renamed = (
        build_index(root, CONFIG)[0].frames["file"].iloc[0] for root in (plain, roots["detect_and_track_list"])
    )

    assert found.startswith("images/bonn_5sec/")
    assert renamed.startswith("images_renamed/bonn_5sec/")


def test_names_of_renamed_copies_are_not_looked_for_among_the_originals(drawn_world: Path, tmp_path: Path) -> None:
    root = formats.detect_and_track_list(drawn_world, tmp_path / "both")
    shutil.copytree(root / "images_renamed", root / "images")

    files = build_index(root, CONFIG)[0].frames["file"]

    assert files.str.startswith("images_renamed/").all()


def test_occluded_joints_of_posetrack21_are_labelled(drawn_world: Path, official: Index, tmp_path: Path) -> None:
    root = formats.posetrack21(drawn_world, tmp_path / "hidden", hidden=True)

    index, _ = build_index(root, CONFIG)

    assert differing(official, index) == {"people.person_id", "people.occluded"}


def test_ids_of_people_beyond_53_bits_stay_exact_beside_missing_ones(roots: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "tree"
    shutil.copytree(roots["posetrack21"], root)
    path = min((root / "posetrack_data/train").iterdir())
    content = json.loads(path.read_text())
    first = content["annotations"][0]["person_id"]
    content["annotations"][1]["person_id"] = None
    path.write_text(json.dumps(content))

    prepare(root, tmp_path / "index", CONFIG)

    people = read_index(tmp_path / "index").people
    assert str(people["person_id"].dtype) == "Int64"
    assert people["person_id"].iloc[0] == first == 2**53 + 1
    assert people["person_id"].isna().sum() == 1


def test_pandas_and_duckdb_read_the_tables_with_64_bit_ids(roots: dict[str, Path], tmp_path: Path) -> None:
    prepare(roots["posetrack21"], tmp_path, CONFIG)

    file = tmp_path / "people.parquet"
    read = pd.read_parquet(file)
    columns = "min(frame_id), max(person_id), sum(keypoints[3]), count(*), typeof(any_value(person_id))"
    with duckdb.connect() as database:
        lowest, last, labelled, count, kind = database.execute(f"select {columns} from '{file}'").fetchall()[0]

    assert lowest == read["frame_id"].min() > 2**31
    assert last == read["person_id"].max() > 2**53
    assert labelled == sum(row[2] for row in read["keypoints"])
    assert (count, kind) == (len(read), "BIGINT")
