"""The connection to MLflow."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

# MLflow reads these while it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Its own repetitions pause for up to a minute, and would only then notice that a server is back.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig, without_credentials
from pipeline.tracking.outbox import one_line

TIMEOUT_SECONDS = 5.0
"""How long a server may take to accept a connection."""


def connect(config: TrackingConfig) -> MlflowClient:
    """A client of a server that answers.

    A fresh SQLite database is created by one process at a time: created by several at once, it crashes most of them.

    Raises:
        Refusal: nothing answers at the URI.
    """
    uri = config.resolved_uri
    check(uri)
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with _creating(uri):
        client = MlflowClient(tracking_uri=uri)
        try:
            client.search_experiments(max_results=1)
        except MlflowException as error:
            raise Refusal(f"tracking server {without_credentials(uri)}: {one_line(error)}; {ADVICE}") from None
    return client


ADVICE = "start it, or set tracking.uri in params.yaml or MLFLOW_TRACKING_URI to one that answers"


def check(uri: str) -> None:
    """Refuse at once a server that accepts no connection; MLflow's own client would retry for minutes."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        raise Refusal(f"tracking server {without_credentials(uri)} does not answer ({error}); {ADVICE}") from None


def experiment_id(client: MlflowClient, name: str, *, artifacts: Path | None) -> str:
    """The experiment's id; it is created where it is absent, with `artifacts` as the root of its files."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if artifacts is None else artifacts.resolve().as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        found = client.get_experiment_by_name(name)  # another process was faster
        if found is None:
            raise
        return str(found.experiment_id)


def local_artifacts(uri: str) -> Path | None:
    """Where files go when there is no server: beside the SQLite file. None when a server decides."""
    return Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" if uri.startswith("sqlite:///") else None


@contextmanager
def _creating(uri: str) -> Iterator[None]:
    if not uri.startswith("sqlite:///"):
        yield
        return
    path = Path(uri.removeprefix("sqlite:///"))
    if not path.parent.is_dir():
        raise Refusal(f"tracking database {path}: its folder does not exist; {ADVICE}")
    with FileLock(path.with_name(f"{path.name}.lock")):
        yield
