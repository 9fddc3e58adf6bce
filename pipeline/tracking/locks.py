"""One change of the registry at a time on this host."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import answering


@contextmanager
def alone(tracking: TrackingConfig) -> Iterator[None]:
    """Wait until nobody else on this host registers or promotes, and keep others waiting meanwhile.

    MLflow has no compare-and-set that would hold across hosts.

    Raises:
        Refusal: the server forbids the change, or went away in the middle of it.
    """
    with FileLock(lock_file(tracking)), answering(tracking):
        yield


def lock_file(tracking: TrackingConfig) -> Path:
    """What they wait for: beside an SQLite file, for a server in the folder for temporary files."""
    uri = tracking.resolved_uri
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///"))
        return database.with_name(f"{database.name}.registry.lock")
    digest = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"dsn-pose-{os.getuid()}-{digest}.registry.lock")
