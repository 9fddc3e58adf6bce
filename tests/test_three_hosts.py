"""The whole DAG on a Ray cluster of three hosts, which let in who has the token."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import params
from pipeline.artifacts import read_json
from tests.world.clone import clean_environment, clone_of_head, executed, stages_run
from tests.world.hosts import Cluster, cluster_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with cluster_of(3) as made:
        yield made


@pytest.fixture
def environment(cluster: Cluster, tmp_path: Path) -> dict[str, str]:
    """What a driver on the head needs."""
    return {**clean_environment(site=tmp_path / "site"), **cluster.environment, "OMP_NUM_THREADS": "1"}


def test_the_whole_dag_ends_in_a_champion(cluster: Cluster, environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    clone_of_head(folder)
    params.use_preset(folder / "params.yaml", folder / "tests" / "world", "tiny")

    status, output = executed(cluster.hosts[0].command("dvc", "repro"), folder, environment=environment)

    assert status == 0, output
    assert sorted(stages_run(output)) == sorted(params.read(folder / "dvc.yaml")["stages"])
    assert "at once on 3 CPUs" in output
    assert read_json(folder / "promotion.json")["promoted"] is True
