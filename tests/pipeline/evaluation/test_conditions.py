from dataclasses import replace
from typing import Any

import pytest

from pipeline.evaluation.conditions import Grid

GRID = Grid(kinds=("black", "noise"), severities=(3, 5), targets=("keyframe", "all"), strides=(1, 2), seed=0)
DIGEST = "3dc707b96bbd8649ee1749214e7111e8"


def test_a_grid_has_one_digest_in_every_order() -> None:
    turned = replace(GRID, kinds=("noise", "black"), targets=("all", "keyframe"), strides=(2, 1))

    assert GRID.digest(max_samples=600, data="d1") == DIGEST
    assert turned.digest(max_samples=600, data="d1") == DIGEST


@pytest.mark.parametrize(
    "change",
    [
        {"kinds": ("black",)},
        {"severities": (5,)},
        {"targets": ("keyframe",)},
        {"strides": (1,)},
        {"seed": 1},
    ],
)
def test_another_grid_has_another_digest(change: dict[str, Any]) -> None:
    assert replace(GRID, **change).digest(max_samples=600, data="d1") != DIGEST


@pytest.mark.parametrize(("max_samples", "data"), [(None, "d1"), (599, "d1"), (600, "d2")])
def test_other_people_have_another_digest(max_samples: int | None, data: str) -> None:
    assert GRID.digest(max_samples=max_samples, data=data) != DIGEST
