"""Exported networks answer as PyTorch does, for any batch, and are refused where they do not."""

import json
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from dsn import checkpoint
from dsn.checkpoint import Loaded
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.export.config import ExportConfig
from pipeline.export.export import export, refuse_far
from pipeline.export.formats import FORMATS
from pipeline.export.graphs import Graph, traced, whole
from pipeline.export.job import shown
from pipeline.export.parity import Gap, Parity, compare
from pipeline.refusal import Refusal
from tests.world.networks import TRANSFORMER, model_config

ROOT = Path(__file__).parents[3]


def random_network() -> Loaded:
    """A small network whose every branch speaks."""
    torch.manual_seed(0)
    config = model_config(backbone=TRANSFORMER)
    network = build(config, POSETRACK)
    _stir(network)
    return Loaded(network=network.eval(), config=config, skeleton=POSETRACK)


def _stir(network: nn.Module) -> None:
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn_like(value))


def random_clips(loaded: Loaded, number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    frames = 1 + len(loaded.config.clip.offsets)
    return torch.randint(256, (number, frames, 3, *loaded.config.input_size), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, loaded = tmp_path_factory.mktemp("model"), random_network()
    checkpoint.save(folder, loaded.network, config=loaded.config, skeleton=loaded.skeleton)
    return folder


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if isinstance(done.exception, Refusal):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_archive_of_torch_answers_as_the_network_on_drawn_people(tmp_path: Path, model: Path) -> None:
    out = tmp_path / "exports" / "dsn.pt2"

    told = run(model, "--format", "torch", "--out", out, "--params", ROOT / "params.yaml", "--json")

    report = read_json(tmp_path / "exports" / "dsn.pt2.json")
    assert sorted(path.name for path in out.parent.iterdir()) == ["dsn.pt2", "dsn.pt2.json"]
    assert json.loads(told) == report
    assert shown(report, out).startswith(f"{out}: ")
    assert report["parity"]["clips"] == 8
    assert report["parity"]["keypoints_px"]["max"] < 0.01
    assert report["inputs"] == {"keyframe": ["batch", 3, 64, 48], "supporting": ["batch", 4, 3, 64, 48]}
    assert report["outputs"] == {"heatmaps": ["batch", 17, 16, 12]}
    assert report["config"]["export"]["max_keypoint_distance"] == 0.01
    archive: dict[str, str] = {"skeleton.json": ""}
    torch.export.load(out, extra_files=archive)
    assert json.loads(archive["skeleton.json"])["joints"] == list(POSETRACK.joints)


def test_a_network_without_numbers_is_refused_and_no_file_left(tmp_path: Path) -> None:
    loaded = random_network()
    with torch.no_grad():
        next(loaded.network.backbone.parameters()).fill_(torch.nan)
    config = ExportConfig(clips=2, seed=0, max_heatmap_difference=1.0, max_keypoint_distance=1.0)

    with pytest.raises(Refusal, match=r"got heatmaps up to nan away from PyTorch's on 2 clips.*no file was left"):
        export(loaded, tmp_path / "dsn.pt2", config, kind="torch", clips=random_clips(loaded, 2), weights="ab12")

    assert not list(tmp_path.iterdir())


def test_the_farther_answer_is_refused_by_the_key_that_allows_it() -> None:
    config = ExportConfig(clips=2, seed=0, max_heatmap_difference=0.1, max_keypoint_distance=0.5)
    near, far = Gap(max=0.1, mean=0.0), Gap(max=0.6, mean=0.0)

    refuse_far(Parity(clips=2, heatmaps=near, keypoints_px=near), config, name="dsn.pt2", left="no file")
    told = r"^dsn.pt2: got keypoints up to 0.6 .* at most 0.5 \(export.max_keypoint_distance\); no file$"
    with pytest.raises(Refusal, match=told):
        refuse_far(Parity(clips=2, heatmaps=near, keypoints_px=far), config, name="dsn.pt2", left="no file")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "dsn.onnx", "--format", "torch"], r"got dsn\.onnx, wanted a name that ends in \.pt2"),
        (["--out", "taken.onnx"], "got a file that exists, wanted a new one"),
        (["--out", "new.onnx", "--shards", "absent"], "absent"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.onnx").write_text("mine")

    with pytest.raises(Refusal, match=told):
        run(model, "--params", ROOT / "params.yaml", *arguments)

    assert [path.name for path in tmp_path.iterdir()] == ["taken.onnx"]


def test_an_onnx_file_names_its_axes_carries_facts_and_takes_any_batch(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(1)).eval()
    graph = Graph(module=module, inputs={"pixels": torch.zeros(2, 3, 4, 4)}, output="tokens")
    path = tmp_path / "small.onnx"

    FORMATS["onnx"].write(traced(graph, name="small"), path, {"skeleton.json": {"joints": 17}})

    session = onnxruntime.InferenceSession(str(path))
    assert [(one.name, one.shape[0]) for one in session.get_inputs()] == [("pixels", "batch")]
    assert [(one.name, one.shape[0]) for one in session.get_outputs()] == [("tokens", "batch")]
    assert session.get_modelmeta().custom_metadata_map["skeleton.json"] == '{"joints": 17}'
    for number in (1, 3):
        pixels = torch.randn(number, 3, 4, 4)
        torch.testing.assert_close(FORMATS["onnx"].open(path)(pixels), module(pixels))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_onnx_answers_as_the_network_for_any_batch(tmp_path: Path) -> None:
    loaded, path = random_network(), tmp_path / "dsn.onnx"

    FORMATS["onnx"].write(traced(whole(loaded), name="dsn"), path, {})

    for number in (1, 3):
        assert compare(FORMATS["onnx"].open(path), loaded, random_clips(loaded, number)).heatmaps.max < 1e-4
