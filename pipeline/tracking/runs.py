"""Runs on MLflow."""

import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from time import time

import psutil
from mlflow.entities import LifecycleStage, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.outbox import PATIENCE_SECONDS, Outbox, one_line, patiently
from pipeline.tracking.server import answering, connect, experiment_id, local_artifacts

FAILED_PATIENCE_SECONDS = 10.0
"""How long the end of a run that failed waits for the server: whoever interrupts it does not want to wait."""
PROCESS = "run.process"
"""Tag of a run that shall be the only one of its kind: the process that opened it, see `process_tag`."""

log = logging.getLogger(__name__)


class MlflowTracker:
    """A run on an MLflow server; see `Tracker`."""

    def __init__(self, client: MlflowClient, *, experiment: str, run_id: str) -> None:
        self._client, self._experiment = client, experiment
        self.run_id = run_id
        self._outbox = Outbox[Metric](lambda metrics: client.log_batch(run_id, metrics))

    def log_params(self, values: Mapping[str, object]) -> None:
        """Keep parameters; nested mappings become dotted names."""
        flat = [Param(name, str(value)) for name, value in flatten(values).items()]
        patiently(lambda: self._client.log_batch(self.run_id, params=flat), what="keeping parameters")

    def log_metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a step. Returns at once: they are sent beside the work, again until the server took them.

        Sent twice they are kept once, for MLflow knows a value by its name, step, time and number.
        """
        now = int(time() * 1000)
        self._outbox.put([Metric(name, value, now, step) for name, value in values.items()])

    def log_file(self, path: Path, *, folder: str) -> None:
        """Keep a file, or a folder with all that is in it."""
        keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        patiently(lambda: keep(self.run_id, str(path), folder), what=f"keeping {path}")

    def child(self, name: str) -> "MlflowTracker":
        """A nested run."""
        return _created(self._client, self._experiment, name=name, tags={MLFLOW_PARENT_RUN_ID: self.run_id})

    def finish(self, *, failed: bool = False) -> None:
        """Close the run once all its numbers were sent.

        One that failed does not wait long for that, and what goes wrong here then does not hide what went wrong before.

        Raises:
            Refusal: the server was away for too long, or did not take the numbers.
        """
        try:
            self._close("FAILED" if failed else "FINISHED", FAILED_PATIENCE_SECONDS if failed else PATIENCE_SECONDS)
        except (Refusal, MlflowException) as error:
            if not failed:
                raise
            log.warning("the run %s could not be closed (%s)", self.run_id, one_line(error))

    def _close(self, status: str, patience: float) -> None:
        try:
            left = self._outbox.close(patience=patience)
        except Refusal:
            self._terminate("FAILED", patience)
            raise
        if left:
            log.warning("the tracking server never heard of %d values of the run %s", left, self.run_id)
        self._terminate(status, patience)

    def _terminate(self, status: str, patience: float) -> None:
        patiently(lambda: self._client.set_terminated(self.run_id, status), patience=patience, what="closing the run")


def start_run(
    config: TrackingConfig, name: str, *, tags: Mapping[str, str], parent: str | None = None, sole: str | None = None
) -> MlflowTracker:
    """A new run in the experiment of `config`, on a server that answers; nested where `parent` is a run's id.

    Where `sole` names a tag, runs that are still open with the same value of it are closed as killed: nobody else will.
    Those of another process that lives on this host stay open. Of other hosts' processes nobody here can tell.

    Raises:
        Refusal: nothing answers, or the server forbids it.
    """
    client = connect(config)
    above = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
    with answering(config):
        experiment = experiment_id(client, config.experiment, artifacts=local_artifacts(config.resolved_uri))
        if sole is not None:
            _close_killed(client, experiment, f"tags.`{sole}` = '{tags[sole]}'")
            above[PROCESS] = process_tag(os.getpid())
        return _created(client, experiment, name=name, tags={**tags, **above})


def family_run(config: TrackingConfig, name: str, *, tags: Mapping[str, str]) -> str:
    """The id of the newest run that has these tags, a new one where none has: the parent of runs made one by one.

    A new one stays open until `resume_run` opens it once more and it is finished.
    """
    client = connect(config)
    experiment = experiment_id(client, config.experiment, artifacts=local_artifacts(config.resolved_uri))
    wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    found = client.search_runs([experiment], wanted, max_results=1)
    return found[0].info.run_id if found else _created(client, experiment, name=name, tags=tags).run_id


def resume_run(config: TrackingConfig, run_id: str) -> MlflowTracker | None:
    """A run that was cut off, open again, its open nested runs closed as killed; None where the server has none such.

    What a nested run did until then stays as it is; whoever goes on with it opens another.
    """
    client = connect(config)
    try:
        info = client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if info.lifecycle_stage == LifecycleStage.DELETED:
        return None
    _close_killed(client, info.experiment_id, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'")
    client.update_run(run_id, status="RUNNING")
    return MlflowTracker(client, experiment=info.experiment_id, run_id=run_id)


def _close_killed(client: MlflowClient, experiment: str, which: str) -> None:
    for left in client.search_runs([experiment], f"{which} and attributes.status = 'RUNNING'"):
        if not _lives(left):
            client.set_terminated(left.info.run_id, "KILLED")


def process_tag(number: int) -> str:
    """What names a process of this host, and none that gets its number later: host, number and when it began.

    Raises:
        psutil.NoSuchProcess: no process has this number.
    """
    return f"{socket.gethostname()} {number} {psutil.Process(number).create_time()}"


def _lives(run: Run) -> bool:
    """Whether another process of this host, which still lives, says that the run is its own."""
    told = str(run.data.tags.get(PROCESS, ""))
    number = int(told.split()[1]) if told else os.getpid()
    if number == os.getpid():
        return False
    try:
        return process_tag(number) == told and psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _created(client: MlflowClient, experiment: str, *, name: str, tags: Mapping[str, str]) -> MlflowTracker:
    run = patiently(lambda: client.create_run(experiment, run_name=name, tags=dict(tags)), what=f"opening {name}")
    return MlflowTracker(client, experiment=experiment, run_id=run.info.run_id)


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
