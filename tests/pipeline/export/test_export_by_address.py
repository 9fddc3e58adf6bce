from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import read_json, sha256
from tests.world import registry
from tests.world.registry import addresses, database, random_network, tracking, trained, version

__all__ = ["addresses", "database", "random_network", "tracking", "trained", "version"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]

model = registry.model


def test_an_alias_a_version_and_a_folder_export_the_same_weights(
    addresses: tuple[str, ...], random_network: Path, tmp_path: Path
) -> None:
    for number, address in enumerate(addresses):
        out = tmp_path / f"{number}.pt2"
        done = CliRunner().invoke(app, ["export", address, "--format", "torch", "--out", str(out)])
        assert done.exit_code == 0, done.output

    reports = [read_json(tmp_path / f"{number}.pt2.json") for number in range(3)]
    assert [report["weights"] for report in reports] == [sha256(random_network / "network.safetensors")] * 3
    assert [report["parity"] for report in reports] == [reports[0]["parity"]] * 3
