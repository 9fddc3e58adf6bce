import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from dsn.checkpoint import Loaded
from dsn.codec import decode, encode
from dsn.network import build, build_single_frame
from dsn.parts import ClipConfig
from dsn.readouts import Readouts
from dsn.skeleton import POSETRACK
from pipeline.evaluation.ap import average_precision
from pipeline.evaluation.loading import annotation_files, read_video
from pipeline.evaluation.people import JOINTS
from pipeline.evaluation.poseval import score_folders
from pipeline.evaluation.predict import (
    Poses,
    Readout,
    heatmaps,
    locate,
    predict,
    refuse_misfit,
    table,
    to_frame,
    unmirrored,
)
from pipeline.evaluation.submission import write_predictions
from pipeline.evaluation.tables import read_truth, score_videos
from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal
from pipeline.shards.augment import flip_order
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches

clips = importlib.import_module("tests.world.clips")


@pytest.fixture(scope="module")
def packed(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = clips.pack(drawn_world, tmp_path_factory.mktemp("packed"))
    return folder


def test_points_of_a_crop_go_to_the_source_frame() -> None:
    affine = np.array([[[2.0, 0.0, 100.0], [0.0, 3.0, 200.0]], [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])

    moved = to_frame(np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), affine)

    np.testing.assert_allclose(moved, [[[102.0, 206.0]], [[-4.0, 3.0]]])


def test_a_drawn_gaussian_is_located_in_the_source_frame() -> None:
    keypoints = torch.tensor([[[20.0, 30.0]] * 17])
    model = clips.model_config()
    maps, _ = encode(keypoints, torch.ones(1, 17, dtype=torch.bool), input_size=(64, 48), config=model.heatmap)

    poses = locate(0.5 * maps, torch.tensor([[[2.0, 0.0, 100.0], [0.0, 2.0, 200.0]]]), model=model)

    np.testing.assert_allclose(poses.keypoints[0], np.tile([140.0, 260.0], (17, 1)), atol=0.05)
    assert poses.scores[0] == pytest.approx(0.5 * maps.amax(dim=(2, 3))[0].numpy())


@pytest.mark.parametrize(("encoding", "off"), [("udp", 0.0), ("gaussian", 0.5)])
def test_mirrored_maps_stand_where_those_of_the_person_do(encoding: Literal["udp", "gaussian"], off: float) -> None:
    heatmap = replace(clips.model_config().heatmap, encoding=encoding, stride=4)
    places = torch.linspace(40, 140, 101)
    straight = torch.stack([places, torch.full_like(places, 90.0)], dim=-1)[:, None]
    mirrored = torch.stack([191 - straight[..., 0], straight[..., 1]], dim=-1)
    visible = torch.ones(202, 1, dtype=torch.bool)
    maps, _ = encode(torch.cat([straight, mirrored]), visible, input_size=(256, 192), config=heatmap)

    found, _ = decode(unmirrored(maps, mirror=(), config=heatmap), input_size=(256, 192), config=heatmap)

    assert (found - straight)[..., 0].mean().item() == pytest.approx(off, abs=0.15)


def test_the_dense_readout_is_the_mean_over_supporting_frames() -> None:
    maps = torch.arange(4.0).reshape(1, 4, 1, 1, 1).expand(1, 4, 17, 3, 3)
    readouts = Readouts(final=torch.zeros(1, 17, 3, 3), dense=maps)

    assert (heatmaps(readouts, "dense") == 1.5).all()
    with pytest.raises(ValueError, match="readouts: got temporal, wanted one that the network has"):
        heatmaps(readouts, "temporal")


def test_a_table_names_every_sample_once() -> None:
    samples = clips.batch(2).samples
    poses = Poses(keypoints=np.arange(68.0).reshape(2, 17, 2), scores=np.ones((2, 17)))

    rows = table(samples, poses)

    assert rows["key"].tolist() == ["video-000005-000", "video-000005-001"]
    assert list(rows.iloc[1])[1:6] == ["video", 5, 1005, 1, 1]
    assert rows["keypoints"][1].tolist() == list(range(34, 68))


@pytest.mark.parametrize("kind", ["dual", "single_frame"])
def test_each_sample_of_a_split_is_predicted_once_whatever_the_batch_size(packed: Path, kind: str) -> None:
    config = clips.model_config()
    network = (build if kind == "dual" else build_single_frame)(config, POSETRACK)
    readouts: tuple[Readout, ...] = ("final", "temporal") if kind == "dual" else ("final",)

    tables = [
        predict(
            network,
            evaluation_batches(packed / "val", input_size=config.input_size, batch_size=size),
            model=config,
            readouts=readouts,
        )
        for size in (7, 64)
    ]

    assert set(tables[0]) == set(readouts)
    assert tables[0]["final"]["key"].is_unique
    assert len(tables[0]["final"]) == read_manifest(packed / "val").samples
    for name in readouts:
        few, many = (np.stack(found[name]["scores"].tolist()) for found in tables)
        np.testing.assert_allclose(few, many, atol=1e-5)


@pytest.mark.parametrize("kind", ["dual", "single_frame"])
def test_by_the_flip_test_a_mirrored_clip_has_the_mirrored_pose(packed: Path, kind: str) -> None:
    config = clips.model_config()
    network = (build if kind == "dual" else build_single_frame)(config, POSETRACK)
    batch = next(evaluation_batches(packed / "val", input_size=config.input_size, batch_size=8))
    order = flip_order(POSETRACK)

    straight, turned = (
        predict(network, [given], model=config, readouts=("final",), mirror=POSETRACK.flip_pairs)["final"]
        for given in (batch, replace(batch, frames=batch.frames.flip(-1)))
    )

    scores, mirrored = (np.stack(rows["scores"].tolist()) for rows in (straight, turned))
    np.testing.assert_allclose(mirrored, scores[:, order], atol=1e-6)
    assert np.abs(mirrored - scores).max() > 1e-4


def test_a_table_scores_alike_in_memory_and_through_files(packed: Path, tmp_path: Path) -> None:
    truth, index = packed / "index" / "truth" / "val", read_index(packed / "index")
    rows = _near_truth(index.people, videos={path.stem for path in truth.iterdir()})
    write_predictions(rows, truth, out_folder=tmp_path, skeleton=POSETRACK)
    wanted = score_folders(truth, tmp_path)["ap"]

    scored = score_videos([read_video(path) for path in annotation_files(truth)], rows, skeleton=POSETRACK)

    found = [joint.ap for joint in average_precision(scored)]
    assert found == pytest.approx([wanted[name] for name in JOINTS])
    assert 20 < wanted["total"] < 99


def test_truth_is_reduced_to_those_who_are_evaluated(packed: Path) -> None:
    people = read_index(packed / "index").people
    truth = packed / "index" / "truth" / "val"
    rows = _near_truth(people, videos={path.stem for path in truth.iterdir()})
    some = rows[rows["frame"] == rows["frame"].min()].head(1)

    reduced = read_truth(truth, some)

    assert [video.path.stem for video in reduced] == some["video"].tolist()
    assert len(reduced[0].people.frame) == 1
    assert reduced[0].entries.sum() == 1
    with pytest.raises(ValueError, match=r"got nobody of \(frame, track_id\)"):
        read_truth(truth, some.assign(track_id=9999))


def _near_truth(people: Any, *, videos: set[str]) -> Any:
    """Labels moved by a few pixels, with random scores."""
    rows = people[people["video"].isin(videos)].reset_index(drop=True)
    generator = np.random.default_rng(0)
    points = np.stack(rows["keypoints"].tolist()).reshape(len(rows), 17, 3)[..., :2].astype(np.float64)
    points += generator.normal(0, 2, points.shape)
    scores = generator.uniform(0, 1, points.shape[:2])
    return rows.assign(keypoints=list(points.reshape(len(rows), -1)), scores=list(scores))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"input_size": (64, 64)}, "input_size: got .64, 48., wanted the model's .64, 64."),
        ({"clip": ClipConfig(offsets=(-1, 1))}, "clip.offsets: got .-2, -1, 1, 2., wanted the model's .-1, 1."),
    ],
    ids=["input_size", "offsets"],
)
def test_shards_that_the_model_was_not_made_for_are_refused(packed: Path, change: dict[str, Any], named: str) -> None:
    config = replace(clips.model_config(), **change)
    model = Loaded(network=build_single_frame(config, POSETRACK), config=config, skeleton=POSETRACK)

    with pytest.raises(Refusal, match=named):
        refuse_misfit(model, read_manifest(packed / "val"))


def test_a_model_of_another_skeleton_is_refused_with_both_named(packed: Path) -> None:
    config = clips.model_config()
    other = replace(POSETRACK, name="rats", joints=("snout", *POSETRACK.joints[1:]))
    model = Loaded(network=build_single_frame(config, other), config=config, skeleton=other)

    wanted = r"got skeleton posetrack of 17 joints, wanted the model's, rats of 17 joints: .*\['nose', 'snout'\]"
    with pytest.raises(Refusal, match=wanted):
        refuse_misfit(model, read_manifest(packed / "val"))
