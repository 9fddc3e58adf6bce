"""Checkpoints lie where all hosts of a cluster reach them, or training does not begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.clone import ROOT
from tests.world.hosts import cluster_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DRIVER = """
import sys
from pipeline.cluster import connected
from pipeline.refusal import Refusal
from pipeline.training.shared import refuse_unshared

with connected():
    for storage in sys.argv[1:]:
        try:
            refuse_unshared(storage)
        except Refusal as refusal:
            print(refusal)
        else:
            print("shared")
"""


def test_a_folder_that_one_host_does_not_share_is_refused_and_nothing_is_left_there(tmp_path: Path) -> None:
    shared, apart = tmp_path / "shared", tmp_path / "apart"
    apart.mkdir()

    with cluster_of(2, hidden=apart) as cluster:
        told = subprocess.run(
            cluster.hosts[0].command(sys.executable, "-c", DRIVER, str(shared), str(apart)),
            cwd=ROOT, env={**os.environ, **cluster.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert told.returncode == 0, told.stderr
        first, second = told.stdout.splitlines()
        assert first == "shared"
        assert second.startswith(f"cluster.storage: {apart} is not the same place on ")
        assert f"({cluster.hosts[1].address}) as on" in second
        assert f"({cluster.hosts[0].address})" not in second
    assert [*shared.iterdir(), *apart.iterdir()] == []
