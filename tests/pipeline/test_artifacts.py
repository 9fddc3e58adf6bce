"""What outputs say of the params that they were made with."""

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    kinds: tuple[str, ...]
    single: Inner | None


def test_params_in_force_are_told_by_section_as_json_has_them() -> None:
    config = Config(kinds=("black", "noise"), single=Inner(folder=Path("weights/one")))

    told = resolved(stress=config, other=Inner(folder=Path("x")))

    assert told == {
        "stress": {"kinds": ["black", "noise"], "single": {"folder": "weights/one"}},
        "other": {"folder": "x"},
    }
    assert json.loads(json.dumps(told)) == told
