"""Prediction runs the very file that `export` wrote, and refuses one of another network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from dsn import checkpoint
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.__main__ import app
from pipeline.artifacts import read_json, sha256
from pipeline.export.formats import FORMATS
from pipeline.export.graphs import Graph, traced
from pipeline.inference.exported import open_exported
from pipeline.refusal import Refusal
from tests.world.footage import drawn_frames, write_images
from tests.world.networks import TRANSFORMER, model_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FRAMES = 4
FEW = ("--set", "export.clips=2")
"""Drawn people to compare on."""


def saved(folder: Path, *, seed: int) -> Path:
    """The folder of a small network whose backbone is a transformer, which exports quickly."""
    torch.manual_seed(seed)
    config = model_config(backbone=TRANSFORMER)
    checkpoint.save(folder, build(config, POSETRACK).eval(), config=config, skeleton=POSETRACK)
    return folder


def run(verb: str, *arguments: str | Path) -> None:
    done = CliRunner().invoke(app, [verb, *map(str, arguments)])
    if isinstance(done.exception, Refusal):
        raise done.exception
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("network"), seed=0)


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """What `export` made of it; read it only."""
    file = tmp_path_factory.mktemp("exported") / "dsn.onnx"
    run("export", model, "--out", file, *FEW)
    return file


@pytest.fixture
def predicted(tmp_path: Path, write_boxes: Callable[..., Path]) -> Callable[..., Path]:
    """Predicts two people who stand before a moving square; gives the folder of outputs."""
    boxes = write_boxes(*((frame, x, 20, 40, 60) for frame in range(FRAMES) for x in (5, 90)))
    frames = write_images(tmp_path / "walk", drawn_frames(FRAMES))

    def predict(out: str, *arguments: str | Path) -> Path:
        run("predict", frames, "--boxes", boxes, "--out", tmp_path / out, "--no-overlay", *arguments)
        return tmp_path / out

    return predict


def test_a_file_alone_and_beside_its_model_finds_the_keypoints_that_pytorch_finds(
    model: Path, onnx: Path, predicted: Callable[..., Path]
) -> None:
    alone, both, wanted = (
        predicted("alone", "--onnx", onnx),
        predicted("both", "--onnx", onnx, "--model", model, *FEW),
        predicted("torch", "--model", model),
    )

    keypoints = [[one["keypoints"] for one in read_json(out / "walk.coco.json")] for out in (alone, both, wanted)]
    assert len(keypoints[0]) == 2 * FRAMES
    assert np.allclose(keypoints[0], keypoints[2], atol=1e-2)
    assert keypoints[0] == keypoints[1]
    records = [read_json(out / "run.json") for out in (alone, both, wanted)]
    weights = sha256(model / "network.safetensors")
    assert [record["sha256"] for record in records] == [weights] * 3
    assert [record["onnx_sha256"] for record in records] == [sha256(onnx), sha256(onnx), None]
    assert [record["config"]["engine"] for record in records] == ["onnx", "onnx", "torch"]
    assert [record["parity"] is None for record in records] == [True, False, True]
    assert records[1]["parity"]["keypoints_px"]["max"] < 0.01
    assert records[0]["videos"]["walk"]["backbone_passes"] == 5 * 2 * FRAMES  # every window whole


def test_a_file_of_other_weights_or_of_another_skeleton_is_refused(
    model: Path, onnx: Path, predicted: Callable[..., Path], tmp_path: Path
) -> None:
    other = saved(tmp_path / "other", seed=1)
    got, wanted = (sha256(folder / "network.safetensors")[:12] for folder in (model, other))
    with pytest.raises(Refusal, match=rf"dsn\.onnx: got a network other than .*: weights {got}, wanted {wanted}; "):
        predicted("out", "--onnx", onnx, "--model", other)

    renamed = json.loads((model / "skeleton.json").read_text())
    (other / "network.safetensors").write_bytes((model / "network.safetensors").read_bytes())
    (other / "skeleton.json").write_text(json.dumps(renamed | {"joints": [f"joint{one}" for one in range(17)]}))
    with pytest.raises(Refusal, match=r"dsn\.onnx: got a network other than .*: skeleton that differs from its; "):
        predicted("out", "--onnx", onnx, "--model", other)


def test_a_file_that_was_changed_or_cut_is_refused(onnx: Path, tmp_path: Path) -> None:
    data = onnx.read_bytes()
    cut = tmp_path / "dsn.onnx"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(Refusal, match=r"got a file that cannot be read \(InvalidProtobuf\)"):
        open_exported(cut)

    cut.with_name("other.onnx").write_bytes(data)
    cut.with_name("other.onnx.json").write_text("{}")
    with pytest.raises(Refusal, match=r"wanted none as other\.onnx\.json says"):
        open_exported(cut.with_name("other.onnx"))

    (tmp_path / "dsn.onnx.json").write_bytes(onnx.with_name("dsn.onnx.json").read_bytes())
    with pytest.raises(Refusal, match=rf"wanted {sha256(onnx)[:12]} as dsn\.onnx\.json says"):
        open_exported(cut)


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    module = nn.Conv2d(3, 4, 3).eval()
    graph = Graph(module=module, inputs={"image": torch.zeros(2, 3, 4, 4)}, output="maps")
    FORMATS["onnx"].write(traced(graph, name="small"), tmp_path / "small.onnx", {"joints": 17})

    with pytest.raises(Refusal, match=r"got inputs \['image'\] and metadata \['joints'\], wanted those of a file"):
        open_exported(tmp_path / "small.onnx")


def test_what_does_not_go_together_is_refused(predicted: Callable[..., Path], tmp_path: Path) -> None:
    absent = tmp_path / "absent.onnx"
    with pytest.raises(Refusal, match=r"--model: got none, wanted .*; or --onnx FILE"):
        predicted("out")
    with pytest.raises(Refusal, match="--onnx: got --engine torch, wanted onnx"):
        predicted("out", "--onnx", absent, "--engine", "torch")
    with pytest.raises(Refusal, match=r"--onnx: got .*absent\.onnx, which is no file"):
        predicted("out", "--onnx", absent)
