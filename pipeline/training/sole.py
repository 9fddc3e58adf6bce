"""One driver at a time for each run: two would write the same checkpoints, and each end what the other has begun."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.refusal import Refusal
from pipeline.training.shared import unwritable


@contextmanager
def sole(folder: str) -> Iterator[None]:
    """Keep other drivers off a run's folder meanwhile; the system lets go of it for a driver that was killed.

    Nothing can be held at a URL: there, drivers on one cluster are kept apart by the names of their desks.

    Raises:
        Refusal: another driver holds it, or nothing can be written beside it.
    """
    files, path = url_to_fs(folder)
    if not isinstance(files, LocalFileSystem):
        yield
        return
    place = Path(path)
    lock = FileLock(place.with_name(f".{place.name}.lock"), timeout=0)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise taken(place.name) from None
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def taken(name: str) -> Refusal:
    """What a driver is told that comes second."""
    return Refusal(f"{name} is being trained by another driver; wait for its end, then give the same command again")
