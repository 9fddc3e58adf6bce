import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.artifacts import write_json
from pipeline.posetrack.index import Index, write_index
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe
from tests.world.hosts import Cluster, cluster_of
from tests.world.packing import DRIVER, contents

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def driven(cluster: Cluster, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Pack the dataset in `folder` by a driver on the first host."""
    return subprocess.run(
        cluster.hosts[0].command(sys.executable, "-c", DRIVER, str(folder)),
        cwd=ROOT, env={**os.environ, **cluster.environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_two_hosts_pack_the_bytes_of_one_and_must_share_the_folders(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    write_index(index, tmp_path / "index")
    write_json(tmp_path / "recipe.json", asdict(make_recipe()))
    pack_splits(index, tmp_path, tmp_path / "alone", make_recipe(), run=map)

    with cluster_of(2) as cluster:
        shared = driven(cluster, tmp_path)
    with cluster_of(2, hidden=tmp_path) as cluster:
        apart = driven(cluster, tmp_path)

    assert shared.returncode == 0, shared.stderr
    assert contents(tmp_path / "shards") == contents(tmp_path / "alone")
    assert apart.returncode == 1
    assert f"{tmp_path}/images/000001_a: host" in apart.stderr
    assert "wanted a folder that all hosts share" in apart.stderr
