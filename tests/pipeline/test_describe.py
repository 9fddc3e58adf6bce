"""The verb `describe` tells what networks cost, and changes nothing."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.describe import described, shown
from pipeline.refusal import Refusal

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "presets"


def test_the_default_networks_are_told_part_by_part() -> None:
    costs = described(ROOT / "params.yaml", PRESETS, names=[], settings=[])

    lines = shown(costs, as_json=False).splitlines()

    assert lines[0] == "dual-stream network, clips of 5 frames"
    assert lines[1].split()[:2] == ["part", "parameters"]
    assert [line.split()[0] for line in lines[2 : 3 + len(costs["dual"].parts)]] == [*costs["dual"].parts, "total"]
    assert costs["dual"].parts["backbone"].trainable == 0  # train.backbone_rate is 0


def test_json_holds_every_number_and_the_sums() -> None:
    costs = described(ROOT / "params.yaml", PRESETS, names=[], settings=[])

    told = json.loads(shown(costs, as_json=True))

    assert told["dual"]["frames"] == 5
    assert told["dual"]["total"]["macs"] == sum(part["macs"] for part in told["dual"]["parts"].values())
    assert told["single_frame"]["parts"]["heads"]["parameters"] == costs["single_frame"].parts["heads"].parameters


def test_the_verb_prints_the_same_numbers() -> None:
    where = ["--params", str(ROOT / "params.yaml"), "--presets", str(PRESETS)]

    told = json.loads(CliRunner().invoke(app, ["describe", "posetrack18", *where, "--json"]).stdout)

    assert told["dual"]["frames"] == 5
    assert told["single_frame"]["parts"]["backbone"]["macs"] / 1e9 == pytest.approx(17.1, rel=0.01)


def test_a_preset_is_laid_over_a_copy(tmp_path: Path) -> None:
    path = Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml"))

    costs = described(path, PRESETS, names=["posetrack18"], settings=[])

    assert costs["single_frame"].parts["backbone"].macs / 1e9 == pytest.approx(17.1, rel=0.01)
    assert costs["dual"].parts["backbone"].trainable == costs["dual"].parts["backbone"].parameters
    assert path.read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_network_that_cannot_be_built_is_refused_in_one_line(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("mobilenetv3_small_100", "mobilenetv3_smal"), encoding="utf-8")

    with pytest.raises(Refusal, match=r"params\.yaml: model: backbone\.name: got mobilenetv3_smal, wanted a model"):
        described(path, PRESETS, names=[], settings=[])


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(Refusal, match=r"preset `posetrack1` is not known \(did you mean `posetrack18`"):
        described(ROOT / "params.yaml", PRESETS, names=["posetrack1"], settings=[])
