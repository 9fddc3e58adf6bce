"""Prediction through onnxruntime gives the poses that PyTorch gives."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dsn import checkpoint
from dsn.checkpoint import Loaded
from dsn.network import build, build_single_frame
from dsn.skeleton import POSETRACK
from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.export.config import ExportConfig
from pipeline.inference.engine import TorchEngine, checked
from pipeline.refusal import Refusal
from tests.world.footage import drawn_frames, write_mp4
from tests.world.networks import TRANSFORMER, model_config


def saved(folder: Path, *, is_dual: bool) -> Path:
    """The folder of a small network whose backbone is a transformer, which exports quickly."""
    torch.manual_seed(0)
    config = model_config(backbone=TRANSFORMER)
    network = build(config, POSETRACK) if is_dual else build_single_frame(config, POSETRACK)
    checkpoint.save(folder, network.eval(), config=config, skeleton=POSETRACK)
    return folder


def predicted(out: Path, model: Path, boxes: Path, *more: str) -> Path:
    video = write_mp4(out.with_suffix(".mp4"), drawn_frames(4))
    arguments = ["predict", video, "--model", model, "--boxes", boxes, "--out", out, "--no-overlay", *more]
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if isinstance(done.exception, Refusal):
        raise done.exception
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_dual", [False, True], ids=["single", "dual"])
def test_onnxruntime_finds_the_keypoints_that_pytorch_finds(
    tmp_path: Path, write_boxes: Callable[..., Path], *, is_dual: bool
) -> None:
    network = saved(tmp_path / "network", is_dual=is_dual)
    boxes = write_boxes(*((frame, x, 20, 40, 60) for frame in range(4) for x in (5, 90)))

    found, wanted = (
        read_json(predicted(tmp_path / name, network, boxes, "--engine", name) / f"{name}.coco.json")
        for name in ("onnx", "torch")
    )

    assert len(found) == 8
    assert np.allclose([one["keypoints"] for one in found], [one["keypoints"] for one in wanted], atol=1e-2)
    record = read_json(tmp_path / "onnx" / "run.json")
    assert record["config"]["engine"] == "onnx"
    assert record["parity"]["clips"] == record["parity"]["export"]["clips"]
    assert record["parity"]["keypoints_px"]["max"] < 0.01
    assert read_json(tmp_path / "torch" / "run.json")["parity"] is None


LIMITS = ExportConfig(clips=2, seed=0, max_heatmap_difference=1e-4, max_keypoint_distance=0.01)


@pytest.fixture
def clips(network: Loaded) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (2, 5, 3, *network.config.input_size), dtype=torch.uint8, generator=generator)


def test_an_engine_that_answers_as_the_network_is_let_through(network: Loaded, clips: torch.Tensor) -> None:
    parity = checked(TorchEngine(network, device="cpu"), network, LIMITS, clips=clips, name="it", left="")

    assert (parity.clips, parity.heatmaps.max < 1e-6) == (2, True)


def test_an_engine_of_one_frame_is_compared_on_keyframes(single_model: Path, clips: torch.Tensor) -> None:
    single = checkpoint.load(single_model)

    parity = checked(TorchEngine(single, device="cpu"), single, LIMITS, clips=clips, name="it", left="")

    assert parity.heatmaps.max < 1e-6


def test_an_engine_that_answers_otherwise_is_refused(network: Loaded, clips: torch.Tensor) -> None:
    torch.manual_seed(7)
    other = replace(network, network=build(network.config, POSETRACK).eval())

    with pytest.raises(
        Refusal, match=r"^dsn\.onnx: got heatmaps up to .* away from PyTorch's on 2 clips.*; export it anew$"
    ):
        checked(TorchEngine(other, device="cpu"), network, LIMITS, clips=clips, name="dsn.onnx", left="export it anew")


def test_onnxruntime_is_refused_on_a_gpu(tmp_path: Path, model: Path, write_boxes: Callable[..., Path]) -> None:
    boxes = write_boxes((0, 5, 20, 40, 60))

    with pytest.raises(Refusal, match="--engine onnx: got --device cuda, wanted cpu"):
        predicted(tmp_path / "out", model, boxes, "--engine", "onnx", "--device", "cuda")
