"""`--set` changes values for one call, by their names and types, and leaves the file as it is."""

from pathlib import Path

import pytest

from pipeline import params
from pipeline.refusal import Refusal
from pipeline.settings import in_force

TEXT = "train:\n  rate: 1e-4  # slow\n  steps: 3\nloss: {hard: 8}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(TEXT)
    return tmp_path / "params.yaml"


def test_settings_stand_instead_of_the_files_values_for_the_block(file: Path) -> None:
    with in_force(file, ["train.rate=2e-3", "loss.hard=null", "train.steps=[1, 2]"]) as changed:
        values = params.read(changed)

    assert values == {"train": {"rate": 0.002, "steps": [1, 2]}, "loss": {"hard": None}}
    assert file.read_text() == TEXT
    assert not changed.exists()


def test_a_section_is_replaced_as_a_whole(file: Path) -> None:
    with in_force(file, ["loss={hard: 2}"]) as changed:
        assert params.read(changed)["loss"] == {"hard": 2}


def test_without_settings_the_file_itself_is_read(file: Path) -> None:
    with in_force(file, []) as same:
        assert same == file


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("train.rates=1", r"--set: train.rates is not a known key \(did you mean `train.rate`\?\)"),
        ("train.rate", "got train.rate, wanted KEY=VALUE"),
        ("train.rate=[1", r"--set train.rate: got \[1, which is no YAML"),
    ],
)
def test_what_cannot_be_set_is_refused(file: Path, setting: str, told: str) -> None:
    with pytest.raises(Refusal, match=told), in_force(file, [setting]):
        pass


def test_a_wrong_type_is_told_with_the_files_own_name(file: Path) -> None:
    with (
        pytest.raises(Refusal, match=rf"{file} with --set: train.steps: got 'many'"),
        in_force(file, ["train.steps=many"]) as changed,
    ):
        params.load(changed, "train.steps", into=int)
