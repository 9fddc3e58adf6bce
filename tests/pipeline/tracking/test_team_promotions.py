"""Promotions and rollbacks on a team's registry: its server killed between two aliases, two at once, a full store."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from mlflow.tracking import MlflowClient

from pipeline.refusal import Refusal
from pipeline.release.gate import GateConfig
from pipeline.release.handover import DECISIONS
from pipeline.release.promotion import promote, rollback
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.locks import lock_file
from pipeline.tracking.registration import register
from pipeline.tracking.registry import Version, find
from tests.world.registry import metrics
from tests.world.team import Killing, Team, team, tracking

__all__ = ["team", "tracking"]

ROOT = Path(__file__).parents[3]
LIMITS = GateConfig(floor_ap=0.0, max_ap_loss=1.0, max_retention_loss=1.0, max_slowdown=100.0, draws=50, seed=0)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def holders(tracking: TrackingConfig) -> dict[str, str]:
    found = {alias: find(tracking, alias=alias) for alias in ("champion", "previous")}
    return {alias: version.version for alias, version in found.items() if version}


def decisions(tracking: TrackingConfig, version: str) -> list[str]:
    tags = MlflowClient(tracking.uri).get_model_version(tracking.model, version).tags
    return [entry["what"] for entry in json.loads(tags[DECISIONS])]


@contextmanager
def killed_at(team: Team, name: str, *, call: int) -> Iterator[None]:
    """The server is killed at a client's n-th call; it is back when the block is over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, name, Killing(getattr(MlflowClient, name), team, call=call))
        with pytest.raises(Refusal, match=r"went away or failed in the middle .* run this again"):
            yield
    team.server.start()
    team.server.wait()


@pytest.fixture
def crowned(tracking: TrackingConfig, version: Callable[[], Version]) -> None:
    """Version 2 is champion after version 1."""
    for ap in (50.0, 60.0):
        promote(tracking, LIMITS, version=version(), **metrics(ap))


@pytest.mark.usefixtures("crowned")
def test_a_promotion_whose_server_is_killed_between_the_aliases_is_completed_by_the_next(
    team: Team, tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    third = version()
    with killed_at(team, "set_registered_model_alias", call=2):
        promote(tracking, LIMITS, version=third, **metrics(70.0))
    assert holders(tracking) == {"champion": "2", "previous": "2"}

    result = promote(tracking, LIMITS, version=third, **metrics(70.0))

    assert (result["promoted"], result["reason"]) == (True, "version 3 is the champion already")
    assert holders(tracking) == {"champion": "3", "previous": "2"}
    assert rollback(tracking) == "version 2 is champion again in place of version 3"


@pytest.mark.usefixtures("crowned")
def test_a_rollback_whose_server_is_killed_between_the_aliases_is_completed_by_the_next_and_loses_no_version(
    team: Team, tracking: TrackingConfig
) -> None:
    with killed_at(team, "set_registered_model_alias", call=2):
        rollback(tracking)
    assert holders(tracking) == {"champion": "2", "previous": "2"}

    assert rollback(tracking) == "version 1 is champion again in place of version 2"

    assert holders(tracking) == {"champion": "1", "previous": "2"}
    assert decisions(tracking, "1") == ["promoted", "champion by rollback"]
    assert decisions(tracking, "2") == ["promoted", "rolled back"]
    assert rollback(tracking) == "version 2 is champion again in place of version 1"


PROMOTE = """
import json, sys
from pipeline.release.gate import GateConfig
from pipeline.release.promotion import promote
from pipeline.tracking.address import InRegistry
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import resolved
uri, name, version, metrics = sys.argv[1:]
tracking = TrackingConfig(uri=uri, experiment="tests", model=name)
added = resolved(tracking, InRegistry(name=name, version=version, alias=None))
limits = GateConfig(floor_ap=0.0, max_ap_loss=1.0, max_retention_loss=1.0, max_slowdown=100.0, draws=50, seed=0)
print("asking", flush=True)
print(json.dumps(promote(tracking, limits, version=added, **json.loads(metrics))))
"""


def uneven(even: float, odd: float) -> dict[str, Any]:
    """Metrics whose AP is 60, of every other video `even` and `odd`."""
    found = metrics(60.0)
    found["evaluation"]["sequences"] = {f"video{number}": odd if number % 2 else even for number in range(6)}
    return found


def test_of_two_promotions_at_once_one_wins_and_the_other_loses_to_the_new_champion(
    tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    promote(tracking, LIMITS, version=version(), **metrics(20.0))
    given = {version().version: uneven(even, 120.0 - even) for even in (90.0, 30.0)}  # both beat 20, neither the other
    with FileLock(lock_file(tracking)):
        started = {
            number: subprocess.Popen(
                [sys.executable, "-c", PROMOTE, str(tracking.uri), tracking.model, number, json.dumps(own)],
                cwd=ROOT,
                text=True,
                stdout=subprocess.PIPE,
            )
            for number, own in given.items()
        }
        said = [process.stdout.readline() for process in started.values() if process.stdout]
        assert said == ["asking\n"] * 2
        assert holders(tracking) == {"champion": "1"}

    told = {number: json.loads(process.communicate()[0]) for number, process in started.items()}

    assert [process.returncode for process in started.values()] == [0, 0]
    [won] = [number for number, result in told.items() if result["promoted"]]
    [lost] = told.keys() - {won}
    assert holders(tracking) == {"champion": won, "previous": "1"}
    assert (told[won]["champion_before"], told[lost]["champion_before"]) == ("1", won)
    assert f"version {lost} loses too much PoseTrack AP to champion version {won}" in told[lost]["reason"]
    assert [decisions(tracking, number) for number in (won, lost)] == [["promoted"], ["not promoted"]]


def test_a_server_without_room_is_refused_and_leaves_no_version(
    team: Team, tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    run_id = trained()
    (model / "raw.safetensors").write_bytes(bytes(6_000_000))

    def add() -> Version:
        return register(tracking, model, run_id=run_id, tags={}, card="", alias="candidate")

    with no_file_longer(team, 5_000_000), pytest.raises(Refusal, match=r"could not be stored by http.*no version"):
        add()

    assert "File too large" in team.server.log.read_text()
    assert MlflowClient(tracking.uri).search_model_versions(f"name = '{tracking.model}'") == []
    assert add().version == "1"


@contextmanager
def no_file_longer(team: Team, limit: int) -> Iterator[None]:
    """None of the server's processes may write a file of more bytes."""
    processes = team.server.processes()
    before = [resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, -1)) for process in processes]
    try:
        yield
    finally:
        for process, own in zip(processes, before, strict=True):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, own)
