"""The verb `import-weights` writes what stage pretrain can start from."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dsn.config import ModelConfig
from pipeline import params
from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.refusal import Refusal
from pipeline.training.start import StartConfig, WeightsConfig, digest, start_folder
from pipeline.weights import import_weights, told

ROOT = Path(__file__).parents[2]
NEW = ("head", "backbone.project", "backbone.norm")
BACKBONE = "mobilenetv3_small_100"
"""That of the default params."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of timm for the default network's backbone."""
    torch.manual_seed(4)
    file = tmp_path_factory.mktemp("published") / "timm.safetensors"
    save_file(timm.create_model(BACKBONE, pretrained=False).state_dict(), file)
    return file


@pytest.fixture
def model() -> ModelConfig:
    """The default network."""
    return params.load(ROOT / "params.yaml", "model", into=ModelConfig)


def imported(file: Path, out: Path) -> Path:
    import_weights(file, out, params_file=ROOT / "params.yaml", joints="coco", new=NEW)
    return out


def test_an_import_writes_a_network_and_a_report(published: Path, tmp_path: Path) -> None:
    out = imported(published, tmp_path / "weights")

    weights, report = load_file(out / "network.safetensors"), read_json(out / "import.json")
    assert torch.equal(weights["backbone.body.conv_stem.weight"], load_file(published)["conv_stem.weight"])
    assert report["family"] == "timm"
    assert "backbone.body.conv_stem.weight" in report["matched"]
    assert {name.split(".")[0] for name in report["missing"]} == {"head", "backbone"}
    model = params.read(ROOT / "params.yaml")["model"]
    assert report["config"] == {"model": model, "joints": "coco", "new": [*NEW]}


def test_the_verb_tells_as_json_what_it_wrote_down(published: Path, tmp_path: Path) -> None:
    new = [word for name in NEW for word in ("--new", name)]
    arguments = [str(published), "--out", str(tmp_path / "out"), *new, "--params", str(ROOT / "params.yaml"), "--json"]

    told = json.loads(CliRunner().invoke(app, ["import-weights", *arguments]).stdout)

    assert told["family"] == "timm"
    report = read_json(tmp_path / "out" / "import.json")
    assert {name: report[name] for name in told} == told


def test_the_pixels_that_weights_were_trained_on_are_told_and_written_down(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    adoption = import_weights(published, out, params_file=ROOT / "params.yaml", joints="coco", new=NEW)

    assert read_json(out / "import.json")["pixels"] == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert "pixels: trained on those of mean 0.485 0.456 0.406 and std 0.229 0.224 0.225\n" in told(adoption, out)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--mean", "0.5", "0.5", "0.5"], "--mean and --std: got one of them"),
        (["--mean", "0.5", "0.5", "0.5", "--std", "0.5", "0", "0.5"], r"--std: got \[0\.5, 0\.0, 0\.5\], wanted more"),
        (
            ["--mean", "0.5", "0.5", "0.5", "--std", "0.5", "0.5", "0.5"],
            r"timm\.safetensors: got weights for pixels of",
        ),
    ],
)
def test_pixels_that_are_none_or_that_the_network_cannot_see_are_refused(
    published: Path, tmp_path: Path, given: list[str], reason: str
) -> None:
    new = [word for name in NEW for word in ("--new", name)]
    arguments = [str(published), "--out", str(tmp_path / "out"), *new, "--params", str(ROOT / "params.yaml"), *given]

    done = CliRunner().invoke(app, ["import-weights", *arguments])

    assert isinstance(done.exception, Refusal)
    assert re.match(rf".*{reason}", str(done.exception))
    assert not (tmp_path / "out").exists()


def test_the_same_import_writes_the_same_bytes(published: Path, tmp_path: Path) -> None:
    first, second = (imported(published, tmp_path / name) for name in ("first", "second"))

    assert digest(first) == digest(second)


def test_a_partial_import_is_refused_and_writes_nothing(published: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"timm\.safetensors: not published: backbone\.norm"):
        import_weights(published, tmp_path / "out", params_file=ROOT / "params.yaml", joints="coco", new=["head"])

    assert not (tmp_path / "out").exists()


def test_what_is_told_can_be_put_into_params(published: Path, model: ModelConfig, tmp_path: Path) -> None:
    out = tmp_path / "weights"
    adoption = import_weights(published, out, params_file=ROOT / "params.yaml", joints="coco", new=NEW)
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    text = told(adoption, out)

    (tmp_path / "overlay.yaml").write_text(text[text.index("weights:") :], encoding="utf-8")
    params.use_preset(tmp_path / "params.yaml", tmp_path, "overlay")

    config = params.load(tmp_path / "params.yaml", "weights", into=WeightsConfig)
    assert start_folder(config, model=model) == out
    assert f"{len(adoption.matched)} weights taken over" in text
    assert "  random  head.kernels.weight" in text


def test_without_a_start_there_is_no_folder(model: ModelConfig) -> None:
    assert start_folder(params.load(ROOT / "params.yaml", "weights", into=WeightsConfig), model=model) is None


def test_other_weights_than_those_named_are_refused(published: Path, model: ModelConfig, tmp_path: Path) -> None:
    out = imported(published, tmp_path / "weights")

    with pytest.raises(Refusal, match=r"weights\.start\.sha256: got ab, wanted "):
        start_folder(WeightsConfig(start=StartConfig(folder=out, sha256="ab")), model=model)


def test_weights_of_another_network_are_refused(published: Path, model: ModelConfig, tmp_path: Path) -> None:
    out = imported(published, tmp_path / "weights")
    config = WeightsConfig(start=StartConfig(folder=out, sha256=digest(out)))

    assert start_folder(config, model=replace(model, encoder=replace(model.encoder, joint_blocks=3))) == out
    with pytest.raises(Refusal, match=r"was made for model\.backbone\.\w+: .*params\.yaml has "):
        start_folder(config, model=replace(model, backbone=replace(model.backbone, width=48)))


def test_a_missing_folder_is_refused(model: ModelConfig, tmp_path: Path) -> None:
    config = WeightsConfig(start=StartConfig(folder=tmp_path / "none", sha256="ab"))

    with pytest.raises(Refusal, match=r"is no file; write it with `python -m pipeline import-weights`"):
        start_folder(config, model=model)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none\.pth"):
        imported(tmp_path / "none.pth", tmp_path / "out")
