from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import read_json, sha256
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version, point
from tests.world import registry
from tests.world.registry import database, random_network, tracking, trained, version

__all__ = ["database", "random_network", "tracking", "trained", "version"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]

model = registry.model


def test_an_alias_a_version_and_a_folder_export_the_same_weights(
    tracking: TrackingConfig,
    version: Callable[[], Version],
    random_network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = version()
    point(tracking, alias="champion", version=added.version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tracking.uri))
    by = {"alias": f"models:/{added.name}@champion", "version": f"models:/{added.name}/{added.version}"}

    for name, address in {**by, "folder": random_network}.items():
        arguments = ["export", address, "--format", "torch", "--out", tmp_path / f"{name}.pt2"]
        done = CliRunner().invoke(app, list(map(str, arguments)))
        assert done.exit_code == 0, done.output

    reports = [read_json(tmp_path / f"{name}.pt2.json") for name in ("alias", "version", "folder")]
    assert [report["weights"] for report in reports] == [sha256(random_network / "network.safetensors")] * 3
    assert [report["parity"] for report in reports] == [reports[0]["parity"]] * 3
