"""What is measured is the network that is trained, also on a machine that has torch and timm alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import reading
from benchmarks.networks import BACKBONES, v3_2, v3_2_values
from pipeline import params
from tests.world.networks import sections

ROOT = Path(__file__).parents[1]
TAKEN_ALONG = ("dsn", "pipeline/training", "benchmarks")
SIZES = {
    "input_size": None,
    "heatmap": {"sigma": None},
    "backbone": {"name": None, "stride": None, "width": None},
    "encoder": {"width": None, "heads": None},
    "visual": {"heads": None},
    "head": {"width": None},
}
"""What a preset of a network leaves to others."""
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "mlflow", "webdataset", "cv2", "pydantic", "ruamel", "pyarrow"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import benchmarks.training_step, benchmarks.streaming
"""


def test_the_measured_network_has_the_switches_of_the_preset() -> None:
    measured = v3_2_values("vit_base_patch16_224", checkpointing=False)
    trained = dict(sections("v3_2")["model"])

    for values in (measured, trained):
        params.merge(values, SIZES)

    assert measured == trained


def test_reading_holds_where_every_preset_reaches_every_limit() -> None:
    enough = {"times_rival": 8.0, "share_of_floor": 0.85}

    assert reading.holds({"drawn": enough, "posetrack18": enough})
    assert not reading.holds({"drawn": enough, "posetrack18": {**enough, "times_rival": 7.99}})
    assert not reading.holds({"drawn": {**enough, "share_of_floor": 0.84}, "posetrack18": enough})


def test_what_is_kept_of_reading_says_whether_it_holds() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "reading.json").read_text(encoding="utf-8"))

    assert kept["holds"] is reading.holds(kept)


def test_every_measured_backbone_can_be_configured() -> None:
    assert [v3_2(name, checkpointing=True).backbone.width for name in BACKBONES] == [192, 384, 768, 1024]


def test_what_needs_a_gpu_runs_where_only_torch_and_timm_are(tmp_path: Path) -> None:
    for folder in TAKEN_ALONG:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "refusal.py"):
        shutil.copy(ROOT / "pipeline" / name, tmp_path / "pipeline")

    done = subprocess.run(
        [sys.executable, "-B", "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
