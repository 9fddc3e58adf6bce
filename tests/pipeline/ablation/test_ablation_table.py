import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import params
from pipeline.ablation.cell import CellData, scores, train_cell, write_params
from pipeline.ablation.table import over_seeds, write_table
from pipeline.artifacts import write_json, write_text
from pipeline.refusal import Refusal

ROOT = Path(__file__).parents[3]
SCALE = "ablate:\n  presets: [v3_2]\n  seeds: [0, 1]\n  params:\n    train: {learning_rate: 2e-3}\n"
COST = {"parameters": 2_000_000, "macs_per_clip": 3e9, "macs_per_frame": 1e9, "clips_per_second": 50.0, "threads": 1}


def stressed(clean: float, *, hash_of_data: str = "d1") -> dict[str, Any]:
    """A stress test in which everything loses 10 under black frames, and 1 and 3 under noise of severity 3 and 5."""
    methods = {name: clean - less for less, name in enumerate(("final", "single_frame", "interpolation", "copy"))}
    entry = {
        name: {
            "black": {"clean": ap, "s3": ap - 10, "retention_s3": 0.5},
            "noise": {"clean": ap, "s1": ap, "s3": ap - 1, "s5": ap - 3},
        }
        for name, ap in methods.items()
    }
    return {"data_hash": hash_of_data, "metric": "PoseTrack AP", "people": 40, "videos": 2, "methods": entry}


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., None]:
    """Writes what a cell leaves."""

    def write(preset: str, seed: int, stress: dict[str, Any] | None, *, degraded: float = 0.0) -> None:
        folder = tmp_path / "cells" / f"{preset}-{seed}"
        facts = {"preset": preset, "seed": seed, "steps": 4, "batch_size": 8, "learning_rate": 2e-3, "seconds": 7.0}
        more = {"is_backbone_frozen": True, "pretraining_samples": 16_000, "efficiency": COST}
        write_json(folder / "cell.json", facts | more)
        known = params.read(ROOT / "params.yaml")["reader"]["augment"]
        augment = {
            "keyframe_dropout": 0.1,
            "keyframe_degradation": degraded,
            "keyframe_kinds": ["noise", "motion_blur"],
        }
        write_text(folder / "params.yaml", json.dumps({"reader": {"augment": known | augment}}))
        write_json(folder / "run.json", {"tags": {"git.sha": "abc", "data.train": "t1", "hardware": "a machine"}})
        if stress:
            write_json(folder / "stress" / "metrics.json", stress)

    return write


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    write_text(tmp_path / "scale.yaml", SCALE)
    return tmp_path / "scale.yaml"


def test_degraded_is_the_mean_over_kinds_of_means_over_severe_severities() -> None:
    found = scores(stressed(60.0), "final")

    assert found == {"clean": 60.0, "black": 50.0, "noise": 58.0, "degraded": 54.0}


def test_an_interval_over_seeds_is_students_and_one_seed_has_none() -> None:
    mean, low, high = over_seeds([1.0, 2.0, 3.0])

    assert mean == 2
    assert (low, high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))
    assert over_seeds([5.0])[0] == 5
    assert math.isnan(over_seeds([5.0])[1])


def test_the_table_has_the_single_frame_every_preset_and_the_copies(
    cell: Callable[..., None], scale: Path, tmp_path: Path
) -> None:
    for seed, clean in ((0, 60.0), (1, 62.0)):
        cell("single_frame", seed, None)
        cell("v3_2", seed, stressed(clean))

    write_table(tmp_path / "cells", scale, out=tmp_path / "table")

    table = pd.read_csv(tmp_path / "table" / "table.csv").set_index("network")
    assert table.index.tolist() == ["single_frame", "v3_2", "interpolation", "copy"]
    assert table["clean"].tolist() == [60, 61, 59, 58]
    assert table.loc["v3_2", "degraded"] == 55
    assert table.loc["v3_2", "degraded_low"] == pytest.approx(55 - 12.706205, abs=1e-3)
    assert table.loc["v3_2", "parameters"] == 2
    assert math.isnan(table["macs_per_clip"]["copy"])
    page = (tmp_path / "table" / "table.md").read_text()
    assert "| `v3_2` | 61.0 (48.3 to 73.7) | 55.0 (42.3 to 67.7) |" in page
    assert "for 4 steps of 8 clips" in page
    assert "40\n  people of val in 2 videos" in page
    assert "Trained otherwise" not in page


def test_a_line_that_was_trained_on_more_spoilt_keyframes_than_its_control_is_named(
    cell: Callable[..., None], scale: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        cell("single_frame", seed, None)
        cell("v3_2", seed, stressed(60.0), degraded=0.2)

    write_table(tmp_path / "cells", scale, out=tmp_path / "table")

    page = " ".join((tmp_path / "table" / "table.md").read_text().split())
    assert (
        "**Trained otherwise:** `v3_2` with 10 % of the keyframes made useless and 20 % degraded (noise, motion blur); "
        "every other line, and with it `single_frame`, `interpolation` and `copy`, with 10 % of the keyframes made "
        "useless and 0 % degraded."
    ) in page


def test_a_missing_cell_and_cells_of_other_data_are_refused(
    cell: Callable[..., None], scale: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        cell("single_frame", seed, None)
    cell("v3_2", 0, stressed(60.0))
    with pytest.raises(Refusal, match=r"v3_2-1: got no cell\.json, wanted what stage ablate writes"):
        write_table(tmp_path / "cells", scale, out=tmp_path)

    cell("v3_2", 1, stressed(60.0, hash_of_data="d2"))
    with pytest.raises(Refusal, match=r"cells of different data, such as \['v3_2-0', 'v3_2-1'\]"):
        write_table(tmp_path / "cells", scale, out=tmp_path)


@pytest.fixture
def data(scale: Path, tmp_path: Path) -> CellData:
    """The project's params and presets, and nothing to train on."""
    nothing = tmp_path / "nothing"
    return CellData(
        params=ROOT / "params.yaml",
        presets=ROOT / "presets" / "network",
        scale=scale,
        shards=nothing,
        start=nothing,
        pretrained=nothing,
    )


def test_a_network_that_the_stress_test_refuses_is_not_trained_first(data: CellData, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="temporal readout sees the keyframe, wanted one that never sees it"):
        train_cell(data, preset="single_stream", seed=0, out=tmp_path / "cell")


def test_a_cells_params_are_the_projects_under_preset_scale_and_seed(data: CellData, tmp_path: Path) -> None:
    file = write_params(data, preset="gated", seed=3, out=tmp_path / "cell" / "params.yaml")

    values, before = params.read(file), params.read(ROOT / "params.yaml")
    assert values["model"]["fusion"]["mode"] == "gated"
    assert values["train"] == before["train"] | {"seed": 3, "learning_rate": 2e-3}
    assert values["stress"] == before["stress"]
