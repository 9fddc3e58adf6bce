import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.checks.check import check
from pipeline.posetrack.index import PrepareConfig
from pipeline.refusal import Refusal
from tests.world.checks import check_config

ROOT = Path(__file__).parents[3]
CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())
LABELS = "posetrack_data/annotations"


@pytest.fixture
def world(drawn_world: Path, tmp_path: Path) -> Path:
    """The drawn world, to be changed at will."""
    return shutil.copytree(drawn_world, tmp_path / "world")


def digest(root: Path) -> str:
    """Of every file's name, bytes, size and time below a folder."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        state = path.lstat()
        found.update(f"{path.relative_to(root)} {state.st_size} {state.st_mtime_ns} {state.st_mode}".encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def spoil(root: Path) -> None:
    """A missing frame, a frame cut in half, a track that jumps, and a file of another kind."""
    frames = sorted((root / "images/train/000001_mpii_train").iterdir())
    frames[0].unlink()
    data = frames[1].read_bytes()
    frames[1].write_bytes(data[: len(data) // 2])
    edit(root / LABELS / "train/000002_mpii_train.json", jump)
    (root / "notes.txt").write_text("kept")


def jump(content: dict[str, Any]) -> None:
    """The first track moves by five sides of its bbox between its first two frames."""
    track = content["annotations"][0]["track_id"]
    first, second = [person for person in content["annotations"] if person["track_id"] == track][:2]
    first["bbox"], second["bbox"] = [0, 0, 20, 20], [100, 0, 20, 20]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    if isinstance(result.exception, Refusal):
        raise result.exception
    return result.exit_code, result.output


def test_a_sound_dataset_has_nothing_that_blocks(drawn_world: Path) -> None:
    findings = check(drawn_world, CONFIG, out=None, decode=True)

    assert findings["blocks"] == []
    assert findings["left_out"] == []
    assert findings["format"] == "posetrack18"


def test_checking_changes_nothing_of_the_dataset(world: Path, tmp_path: Path) -> None:
    spoil(world)
    before = digest(world)

    check(world, CONFIG, out=tmp_path / "out", decode=True)

    assert digest(world) == before


def test_a_folder_for_results_in_the_dataset_is_refused(world: Path) -> None:
    before = digest(world)

    with pytest.raises(Refusal, match="only read; wanted one outside"):
        check(world, CONFIG, out=world / "checks", decode=False)

    assert digest(world) == before


def test_every_file_that_cannot_be_read_is_named_at_once(world: Path, tmp_path: Path) -> None:
    (world / LABELS / "train/000001_mpii_train.json").write_text("{")
    edit(world / LABELS / "val/005001_mpii_test.json", lambda content: content["images"][1].pop("id"))

    findings = check(world, CONFIG, out=tmp_path / "out", decode=False)

    assert [re.findall(r"\w+\.json: [\w.]+", line) for line in findings["blocks"]] == [
        ["000001_mpii_train.json: the"],
        ["005001_mpii_test.json: images.1.id"],
    ]
    page = (tmp_path / "out/checks.html").read_text(encoding="utf-8")
    assert "2 things block this dataset" in page


@pytest.mark.parametrize("name", ["../elsewhere/000000.jpg", "/etc/passwd", "images/../../x.jpg"])
def test_an_image_outside_of_the_root_blocks(world: Path, name: str) -> None:
    edit(world / LABELS / "val/005001_mpii_test.json", lambda content: content["images"][0].update(file_name=name))

    findings = check(world, CONFIG, out=None, decode=False)

    assert len(findings["blocks"]) == 1
    assert f"got {name!r}, wanted a path that stays below the dataset's root" in findings["blocks"][0]


def test_a_missing_root_blocks_in_one_line(tmp_path: Path) -> None:
    findings = check(tmp_path / "nowhere", CONFIG, out=None, decode=False)

    assert len(findings["blocks"]) == 1
    assert "no such folder" in findings["blocks"][0]


def test_images_that_are_not_there_at_all_are_told_as_that(world: Path) -> None:
    shutil.rmtree(world / "images")

    (line,) = check(world, CONFIG, out=None, decode=False)["blocks"]

    assert "none of its 12 images exists" in line
    assert "put the images beside the annotations" in line


def test_the_verb_exits_with_0_where_nothing_blocks(drawn_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    code, output = run(str(drawn_world))

    assert code == 0
    assert output.splitlines()[-1] == "sound    nothing blocks"
    assert "labels   unknown: 2 videos of val with 20 evaluated frames" in output


def test_the_verb_exits_with_1_and_says_what_blocks(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spoil(world)
    shutil.rmtree(world / "images/train/000003_mpii_train")

    code, output = run(str(world), "--out", str(tmp_path / "out"))

    assert code == 1
    assert "BLOCKS   20.6 % of its records are bad" in output
    assert "mostly 'image is missing' (13 in all" in output
    assert re.search(r"odd      [12] tracks that jump", output)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checks.html", "checks.json"]


def test_the_verb_prints_all_findings_for_machines(drawn_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    code, output = run(str(drawn_world), "--json")

    config = PrepareConfig(select_share=0.1, window=5, seed=0, checks=check_config())
    assert code == 0
    assert json.loads(output) == json.loads(json.dumps(check(drawn_world, config, out=None, decode=False)))
