"""A stage's main becomes a command."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.entry import run_stage
from pipeline.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    first: Path
    second: Path


def test_parameters_and_fields_become_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def main(inputs: Inputs, out: Path) -> None:
        seen.extend([inputs, out])

    monkeypatch.setattr(sys, "argv", ["stage", "--second", "b", "--out", "c", "--first", "a"])
    run_stage(main)

    assert seen == [Inputs(first=Path("a"), second=Path("b")), Path("c")]


def test_a_name_and_a_whole_number_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def main(preset: str, seed: int, shards: Path | str) -> None:
        seen.extend([preset, seed, shards])

    monkeypatch.setattr(sys, "argv", ["stage", "--preset", "v3_2", "--seed", "2", "--shards", "s3://bucket/shards"])
    run_stage(main)

    assert seen == ["v3_2", 2, "s3://bucket/shards"]


def refuse(out: Path) -> None:
    raise Refusal(f"{out}: got nothing, wanted something")


def test_a_refusal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "--out", "c"])
    monkeypatch.delenv("DVC_STAGE", raising=False)

    with pytest.raises(SystemExit) as ended:
        run_stage(refuse)

    assert ended.value.code == "c: got nothing, wanted something"


def test_under_dvc_a_refusal_says_how_the_outputs_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "--out", "c"])
    monkeypatch.setenv("DVC_STAGE", "shard")

    with pytest.raises(SystemExit, match="dvc checkout"):
        run_stage(refuse)
