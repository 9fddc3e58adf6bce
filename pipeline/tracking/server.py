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
from mlflow.utils.credentials import read_mlflow_creds

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig, without_credentials
from pipeline.tracking.outbox import one_line, passes

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
            shown = without_credentials(uri)
            raise denied(error, shown) or Refusal(f"tracking server {shown}: {one_line(error)}; {ADVICE}") from None
    return client


@contextmanager
def answering(config: TrackingConfig) -> Iterator[None]:
    """Work that a server may forbid, or leave in the middle.

    Raises:
        Refusal: it did; the message is one line.
    """
    try:
        yield
    except MlflowException as error:
        refusal = denied(error, config.shown_uri)
        if refusal is None and not passes(error):
            raise
        raise refusal or Refusal(
            f"tracking server {config.shown_uri} went away or failed in the middle ({one_line(error)}); see that it "
            "runs and run this again, which completes what is missing"
        ) from error


def denied(error: MlflowException, shown: str) -> Refusal | None:
    """What to say of a server that asks for a user and a password, at the address `shown`; None of other errors."""
    user = read_mlflow_creds().username
    if error.error_code == "UNAUTHENTICATED":
        got = f"does not know user {user} by the password given" if user else "asks for a user and a password"
        return Refusal(f"tracking server {shown} {got}; {CREDENTIALS}")
    if error.error_code == "PERMISSION_DENIED":
        whom = f"user {user}" if user else "you"
        return Refusal(f"tracking server {shown} forbids this to {whom} ({one_line(error)}); {CREDENTIALS}")
    return None


CREDENTIALS = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of a user who may do it"
ADVICE = "start it, or set tracking.uri in params.yaml or MLFLOW_TRACKING_URI to one that answers"


def check(uri: str) -> None:
    """Refuse at once a server that accepts no connection; MLflow's own client would retry for minutes.

    And refuse an address with credentials in it, which MLflow would print with every run.
    """
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return
    if "@" in parts.netloc:
        raise Refusal(
            f"MLFLOW_TRACKING_URI: got {without_credentials(uri)} with credentials, which would be printed; "
            "wanted none there, so put them into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
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
