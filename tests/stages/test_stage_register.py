"""What stage register leaves in the registry, and what it changes when it runs again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import params
from pipeline.artifacts import read_json
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect
from stages import register
from tests.world.registry import database, model, random_network, tracking, trained

__all__ = ["database", "model", "random_network", "tracking", "trained"]

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def test_an_edited_card_is_sent_to_the_version_that_is_there(
    tracking: TrackingConfig,
    model: Path,
    trained: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tracking.uri))
    best = {"step": 1.0, "select/pck_final": 50.0}
    run = {"run_id": trained(), "samples": 1, "best": best, "yardstick": {"name": "PCKh"}, "tags": {}}
    Path("run.json").write_text(json.dumps(run))
    values = params.read(ROOT / "params.yaml")
    values["tracking"]["model"] = tracking.model
    cards = []

    for limits in ("It fails at night.", "It fails under water."):
        values["card"]["limits"] = limits
        Path("params.yaml").write_text(json.dumps(values))
        register.main(model, Path("run.json"), Path("registered.json"))
        cards.append(str(connect(tracking).get_model_version(tracking.model, "1").description))

    assert "It fails at night." in cards[0]
    assert cards[1] == cards[0].replace("It fails at night.", "It fails under water.")
    assert read_json(Path("registered.json"))["version"] == "1"
