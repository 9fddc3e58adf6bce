import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import BoxSource
from pipeline.refusal import Refusal
from pipeline.release.gate import GateConfig, from_tags
from pipeline.release.handover import DECISIONS
from pipeline.release.origin import trained_on
from pipeline.release.promotion import measured, promote, rollback
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.locks import lock_file
from pipeline.tracking.registry import Version, find, point
from pipeline.tracking.server import connect
from tests.world.registry import metrics

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

LIMITS = GateConfig(floor_ap=50.0, max_ap_loss=1.0, max_retention_loss=0.05, max_slowdown=20.0, draws=200, seed=0)
ROOT = Path(__file__).parents[3]

Add = Callable[[], Version]


def holders(tracking: TrackingConfig) -> dict[str, str]:
    found = {alias: find(tracking, alias=alias) for alias in ("champion", "previous")}
    return {alias: version.version for alias, version in found.items() if version}


def decisions(version: Version | None) -> list[str]:
    assert version is not None
    return [entry["what"] for entry in json.loads(version.tags[DECISIONS])]


def test_metrics_of_different_data_are_refused() -> None:
    evaluation, stress = metrics()["evaluation"], metrics(data="d2")["stress"]

    with pytest.raises(Refusal, match=re.escape("evaluation on data d1, stress on d2")):
        measured("2", evaluation=evaluation, stress=stress)


def test_metrics_that_do_not_say_under_what_a_network_was_stressed_are_refused() -> None:
    given = metrics()
    del given["stress"]["grid_hash"]

    with pytest.raises(Refusal, match=r"got a stress/metrics\.json without grid_hash, .*; run `dvc repro stress`"):
        measured("2", **given)


def test_an_ap_by_another_rule_for_joint_scores_is_another_metric() -> None:
    given = metrics()
    assert measured("2", **given).metric == "PoseTrack AP"

    given["evaluation"]["joint_score"] = "box"

    assert measured("2", **given).metric == "PoseTrack AP by joint scores box"


def test_a_version_stressed_under_another_grid_is_turned_down_and_the_record_names_both(
    tracking: TrackingConfig, version: Add
) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first, **metrics())

    result = promote(tracking, LIMITS, version=second, **metrics(ap=99.0, grid="g2"))

    candidate = find(tracking, alias="candidate")
    reason = "version 2 was stressed under grid g2 and champion version 1 under g1: they do not compare"
    assert (result["promoted"], result["reason"], result["grid_hash"]) == (False, reason, "g2")
    assert candidate is not None
    assert candidate.tags["gate.decision"] == reason
    assert candidate.tags["gate.grid_hash"] == "g2"
    assert holders(tracking) == {"champion": "1"}


def test_a_promotion_moves_the_champion_and_keeps_the_previous_one(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first, **metrics())

    result = promote(tracking, LIMITS, version=second, **metrics(ap=62.5))

    assert (result["promoted"], result["version"], result["champion_before"]) == (True, "2", "1")
    assert holders(tracking) == {"champion": "2", "previous": "1"}


def test_a_refusal_moves_nothing_and_is_kept_on_the_version(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first, **metrics())

    result = promote(tracking, LIMITS, version=second, **metrics(ap=50.0))

    candidate = find(tracking, alias="candidate")
    assert result["promoted"] is False
    assert holders(tracking) == {"champion": "1"}
    assert decisions(candidate) == ["not promoted"]
    assert candidate is not None
    assert candidate.tags["gate.decision"] == result["reason"]
    assert candidate.tags["gate.ap"] == "50.0"
    assert json.loads(candidate.tags["gate.sequences"]) == {f"video{number}": 50.0 for number in range(6)}


def test_the_champion_measured_again_keeps_its_place_with_new_numbers(tracking: TrackingConfig, version: Add) -> None:
    only = version()
    promote(tracking, LIMITS, version=only, **metrics())

    result = promote(tracking, LIMITS, version=only, **metrics(ap=55.0, data="d2"))

    current = find(tracking, alias="champion")
    assert result["promoted"] is True
    assert current is not None
    assert from_tags(current) == measured("1", **metrics(ap=55.0, data="d2"))
    assert decisions(current) == ["promoted", "promoted"]
    assert holders(tracking) == {"champion": "1"}


def test_a_version_measured_with_detected_people_keeps_the_hash_of_their_file(
    tracking: TrackingConfig, version: Add
) -> None:
    given = metrics()
    source = BoxSource(file="boxes/val.json", sha256=64 * "a", min_score=0.4)
    given["evaluation"] |= {"boxes": str(source), "box_source": asdict(source)}

    promote(tracking, LIMITS, version=version(), **given)

    champion = find(tracking, alias="champion")
    assert champion is not None
    assert champion.tags["gate.box_file"] == 64 * "a"
    assert champion.tags["gate.boxes"] == "detected (val.json, sha256 aaaaaaaaaaaa, score at least 0.4)"
    assert trained_on(tracking, "aaaaaaaa") == [f"{tracking.model} version 1: gate.box_file"]


def test_a_model_of_another_registry_with_the_same_number_is_neither_crowned_nor_given_numbers(
    tracking: TrackingConfig, version: Add
) -> None:
    stranger = version()
    ours = replace(stranger, tags=stranger.tags | {"sha256": 64 * "0"})

    with pytest.raises(Refusal, match="is another model than the one that was registered here"):
        promote(tracking, LIMITS, version=ours, **metrics())

    kept = find(tracking, alias="candidate")
    assert kept is not None
    assert kept.tags == stranger.tags
    assert holders(tracking) == {}


def test_a_champion_crowned_by_hand_is_not_replaced(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()
    point(tracking, alias="champion", version=first.version)

    assert promote(tracking, LIMITS, version=second, **metrics(ap=99.0))["promoted"] is False


def test_a_rollback_undoes_a_promotion_and_another_one_undoes_it(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()
    for added, ap in ((first, 60.0), (second, 62.0)):
        promote(tracking, LIMITS, version=added, **metrics(ap=ap))

    reason = rollback(tracking)

    assert reason == "version 1 is champion again in place of version 2"
    assert holders(tracking) == {"champion": "1", "previous": "2"}
    assert decisions(find(tracking, alias="champion")) == ["promoted", "champion by rollback"]
    assert decisions(find(tracking, alias="previous")) == ["promoted", "rolled back"]
    rollback(tracking)
    assert holders(tracking) == {"champion": "2", "previous": "1"}


def test_the_verb_rollback_tells_as_json_what_it_did(tracking: TrackingConfig, version: Add) -> None:
    for ap in (60.0, 62.0):
        promote(tracking, LIMITS, version=version(), **metrics(ap=ap))
    where = ["--set", f"tracking.uri={tracking.uri}", "--set", f'tracking.model="{tracking.model}"']

    done = CliRunner().invoke(app, ["rollback", "--params", str(ROOT / "params.yaml"), *where, "--json"])

    assert json.loads(done.stdout) == {"done": "version 1 is champion again in place of version 2"}


def test_without_a_previous_champion_there_is_nothing_to_roll_back(tracking: TrackingConfig, version: Add) -> None:
    promote(tracking, LIMITS, version=version(), **metrics())

    with pytest.raises(Refusal, match="got no alias previous, wanted champion and previous"):
        rollback(tracking)


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
limits = GateConfig(floor_ap=50.0, max_ap_loss=1.0, max_retention_loss=0.05, max_slowdown=20.0, draws=200, seed=0)
print(promote(tracking, limits, version=added, **json.loads(metrics))["champion_before"])
"""


@pytest.mark.slow
def test_of_two_promotions_at_once_the_second_meets_the_first_ones_champion(
    tracking: TrackingConfig, version: Add
) -> None:
    added, given = [version(), version()], json.dumps(metrics())
    commands = [[sys.executable, "-c", PROMOTE, str(tracking.uri), tracking.model, one.version, given] for one in added]

    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in commands]
    before = [process.communicate()[0].strip() for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert before in (["None", "1"], ["2", "None"])
    last = "2" if before[0] == "None" else "1"
    assert holders(tracking) == {"champion": last, "previous": "1" if last == "2" else "2"}


MEASURE_AND_DIE = """
import os, signal
from mlflow.tracking import MlflowClient
original, calls = MlflowClient.set_model_version_tag, []
def die(*arguments, **named):
    calls.append(1)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **named)
MlflowClient.set_model_version_tag = die
"""


@pytest.mark.slow
def test_a_champion_whose_new_numbers_were_cut_off_keeps_its_place_until_they_are_whole(
    tracking: TrackingConfig, version: Add
) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first, **metrics())
    again = metrics(ap=55.0, data="d2")
    arguments = [str(tracking.uri), tracking.model, first.version, json.dumps(again)]

    killed = subprocess.run([sys.executable, "-c", MEASURE_AND_DIE + PROMOTE, *arguments], cwd=ROOT, check=False)

    current = find(tracking, alias="champion")
    assert killed.returncode == -signal.SIGKILL
    assert current is not None
    assert (current.tags["gate.data_hash"], current.tags["gate.ap"]) == ("d2", "60.0")
    assert from_tags(current) is None
    assert promote(tracking, LIMITS, version=second, **metrics(ap=99.0, data="d2"))["promoted"] is False
    promote(tracking, LIMITS, version=first, **again)
    assert promote(tracking, LIMITS, version=second, **metrics(ap=99.0, data="d2"))["promoted"] is True


def test_the_card_says_what_was_measured_once_it_was(tracking: TrackingConfig, version: Add) -> None:
    added, client = version(), connect(tracking)
    client.update_model_version(tracking.model, added.version, "# m\n\n## Measured\n\nNot yet.\n\n## Hashes\n\n- a\n")

    promote(tracking, LIMITS, version=added, **metrics())

    text = str(client.get_model_version(tracking.model, added.version).description)
    assert text.startswith("# m\n\n## Measured\n\nOn data d1, bboxes: ground truth.\n\n- final: PoseTrack AP 60.0\n")
    assert "- final, mean over videos: 60.0, 95 % in 60.0 to 60.0\n" in text
    assert "- black: It holds.\n" in text
    assert text.endswith("\n## Hashes\n\n- a\n")


def test_changes_on_one_host_wait_for_one_file(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = replace(tracking, uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert lock_file(local) == tmp_path / "mlflow.db.registry.lock"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@mlflow.example")
    assert lock_file(tracking) == lock_file(local)
    assert "secret" not in str(lock_file(tracking))
