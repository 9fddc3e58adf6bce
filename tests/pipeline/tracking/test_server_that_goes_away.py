"""A real MLflow server on PostgreSQL or SQLite, killed and started again while a run logs."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.tracking import MlflowClient

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.outbox import Outbox, passes, patiently
from pipeline.tracking.runs import start_run
from tests.world.mlflow_server import Server, serving
from tests.world.postgresql import running as running_postgresql

AWAY = MlflowException("API request failed with exception: Connection refused")
WRONG = MlflowException("Run x not found", error_code=RESOURCE_DOES_NOT_EXIST)


@pytest.fixture(params=["postgresql", "sqlite"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    sqlite = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with (
        running_postgresql() if request.param == "postgresql" else nullcontext(sqlite) as database,
        serving(tmp_path, database) as made,
    ):
        yield made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_killed_and_started_again_has_every_metric_once(server: Server, tmp_path: Path) -> None:
    run = start_run(TrackingConfig(uri=server.uri, experiment="tests", model="none"), "train", tags={})
    (tmp_path / "history.csv").write_text("step\n")

    for step in range(300):
        if step == 100:
            server.kill()
        run.log_metrics({"loss": 1.0 / (step + 1), "rate": float(step)}, step=step)
        if step == 200:
            server.start()
        time.sleep(0.01)
    run.log_file(tmp_path / "history.csv", folder="")
    run.finish()

    client = MlflowClient(server.uri)
    for name, value in (("loss", lambda step: 1.0 / (step + 1)), ("rate", float)):
        kept = client.get_metric_history(run.run_id, name)
        assert [(entry.step, entry.value) for entry in kept] == [(step, value(step)) for step in range(300)]
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert [entry.path for entry in client.list_artifacts(run.run_id)] == ["history.csv"]


class Recipient:
    """Takes what it is sent while it is there."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.there = threading.Event()

    def take(self, items: Sequence[int]) -> None:
        if not self.there.is_set():
            raise AWAY
        self.got += items


def test_what_waits_is_sent_in_order_once_the_server_is_back() -> None:
    recipient = Recipient()
    outbox = Outbox(recipient.take)
    for number in range(5):
        outbox.put([number, 10 * number])

    recipient.there.set()

    assert outbox.close(patience=30.0) == 0
    assert recipient.got == [0, 0, 1, 10, 2, 20, 3, 30, 4, 40]


def test_a_server_that_stays_away_is_not_waited_for_longer_than_told() -> None:
    outbox = Outbox(Recipient().take)
    outbox.put([1, 2, 3])

    assert outbox.close(patience=0.1) == 3


def test_no_more_waits_than_the_limit_and_what_was_dropped_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    recipient = Recipient()
    outbox = Outbox(recipient.take, limit=3)
    outbox.put([1, 2])
    outbox.put([3, 4, 5])
    outbox.put([6])

    recipient.there.set()

    assert outbox.close(patience=30.0) == 3
    assert recipient.got == [1, 2, 3]
    assert caplog.text.count("it will not hear of later ones") == 1


def test_what_the_server_refuses_for_good_rises() -> None:
    def refuse(_: Sequence[int]) -> None:
        raise WRONG

    outbox = Outbox(refuse)
    outbox.put([1])

    with pytest.raises(Refusal, match=r"does not take this run's numbers \(.*Run x not found\)"):
        outbox.close(patience=30.0)


def test_an_outbox_that_got_nothing_closes_at_once() -> None:
    assert Outbox(Recipient().take).close(patience=30.0) == 0


def test_a_call_is_repeated_until_the_server_is_there() -> None:
    answers: list[MlflowException | str] = [AWAY, "kept"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, MlflowException):
            raise answer
        return answer

    assert patiently(call, what="keeping") == "kept"


def test_a_call_that_never_gets_through_is_refused_with_what_to_do() -> None:
    def call() -> None:
        raise AWAY

    with pytest.raises(Refusal, match=r"keeping a\.csv: the tracking server was away for 0 s .*start it"):
        patiently(call, patience=0.0, what="keeping a.csv")


@pytest.mark.parametrize("error", [AWAY, ConnectionResetError(), TimeoutError()])
def test_a_broken_connection_goes_away_by_itself(error: Exception) -> None:
    assert passes(error)


@pytest.mark.parametrize("error", [WRONG, FileNotFoundError()])
def test_what_the_server_does_not_know_and_a_file_that_is_not_there_stay(error: Exception) -> None:
    assert not passes(error)
