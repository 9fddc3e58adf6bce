import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.refusal import Refusal

ROOT = Path(__file__).parents[3]
WHERE = ["--params", str(ROOT / "params.yaml")]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["config", *arguments])
    if isinstance(done.exception, Refusal):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_section_is_shown_by_dotted_names() -> None:
    lines = run("show", "model.clip", *WHERE).splitlines()

    assert lines == ["model.clip.offsets: [-2, -1, 1, 2]"]


def test_everything_is_shown_as_json_where_asked() -> None:
    values = json.loads(run("show", "--json", *WHERE))

    assert values["model.heatmap.stride"] == 4
    assert values["data.boxes"] is None


def test_a_misspelt_section_is_refused_with_the_closest_one() -> None:
    with pytest.raises(Refusal, match=r"model.backbne is not a known key \(did you mean `model.backbone`\?\)"):
        run("show", "model.backbne", *WHERE)


def test_a_presets_changes_are_printed_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    told = run("diff", "posetrack18", *WHERE, "--presets", str(ROOT / "presets"))
    none = run("diff", "drawn", *WHERE, "--presets", str(ROOT / "presets"))

    assert "model.encoder.width: 96 -> 256" in told.splitlines()
    assert none == "params.yaml holds the preset drawn already\n"


def test_a_presets_changes_can_be_had_as_json() -> None:
    changes = json.loads(run("diff", "posetrack18", "--json", *WHERE, "--presets", str(ROOT / "presets")))

    assert changes["model.encoder.width"] == [96, 256]
    assert "model.clip.offsets" not in changes


def test_single_values_are_shown_as_set() -> None:
    assert run("show", "train.steps", "--set", "train.steps=700", *WHERE) == "train.steps: 700\n"
    with pytest.raises(Refusal, match=r"--set: train.stps is not a known key \(did you mean `train.steps`\?\)"):
        run("show", "train.steps", "--set", "train.stps=7", *WHERE)


def test_the_doctors_findings_can_be_had_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, ["doctor", "--json", "--quiet"])

    findings = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 1
    assert findings["params"]["state"] == "blocks"
    assert "python" not in findings
