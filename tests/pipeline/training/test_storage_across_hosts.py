"""Checkpoints lie where all hosts of a cluster reach them, or training does not begin."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.clone import ROOT
from tests.world.hosts import Host, cluster_of
from tests.world.runs import drive, settle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ALONE_OR_NOT = {"workers": 2, "min_workers": 1, "cpus_per_worker": 1}
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


def test_a_host_that_does_not_share_the_folder_is_refused_whether_it_is_there_or_joins(
    drawn_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, apart = tmp_path / "shared", tmp_path / "storage" / "joined"
    apart.mkdir(parents=True)
    settle(tmp_path, drawn_world)

    with cluster_of(2, hidden=apart, started=1) as cluster:
        head, other = cluster.hosts
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        driver = drive(tmp_path, "joined", prefix=head.command(), cluster=ALONE_OR_NOT, train={"steps": 4000})
        driver.until("step 6/")
        cluster.start(other)

        assert driver.end() == 1, driver.output
        [*_, last] = driver.lines
        assert last.startswith(f"cluster.storage: {driver.checkpoints().url} is not the same place on ")
        assert f"({other.address}), which has joined the cluster" in last
        assert "going on from step" not in driver.output
        assert driver.checkpoints().rewind(refuse) is not None

        first, second = look(head, shared, apart)
        assert first == "shared"
        assert second.startswith(f"cluster.storage: {apart} is not the same place on ")
        assert f"({other.address}) as on" in second
        assert f"({head.address})" not in second
    left = [path.name for path in (*shared.iterdir(), *apart.iterdir()) if path.suffix != ".lock"]
    assert left == [Path(driver.checkpoints().url).name]


def look(host: Host, *storages: Path) -> list[str]:
    """What a driver there says of each."""
    command = host.command(sys.executable, "-c", DRIVER, *map(str, storages))
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


def refuse(text: str) -> None:
    """No checkpoint is damaged."""
    raise AssertionError(text)
