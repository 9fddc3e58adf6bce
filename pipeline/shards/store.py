"""Where shards lie: in a folder, or at any URL that fsspec has a file system for, such as `s3://bucket/shards`.

A shard at a URL is fetched whole into a bounded cache on this machine (docs/decisions/0011): training reads a
shard's records in random order, and one request a record would wait for the network each time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pipeline.refusal import Refusal
from pipeline.shards.cache import Cache

T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds between two tries, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """How shards are fetched from a URL (section `reader.store`); those in a folder are read where they are."""

    cache: str
    """Folder for fetched shards, one on each machine; relative to the root, or absolute."""
    cache_gib: float
    """The most that it may hold, in GiB."""
    tries: int
    """How often a file is asked for, before the run stops."""
    wait: float
    """Seconds before the second try; before each further one twice as many, up to a minute."""

    def __post_init__(self) -> None:
        """Refuse what fetches nothing."""
        if self.cache_gib <= 0:
            raise ValueError(f"cache_gib: got {self.cache_gib}, wanted more than 0")
        if self.tries < 1:
            raise ValueError(f"tries: got {self.tries}, wanted at least 1")
        if self.wait < 0:
            raise ValueError(f"wait: got {self.wait}, wanted at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A folder at a URL."""

    url: str
    store: StoreConfig

    def __truediv__(self, name: str) -> "Remote":
        """The folder or file `name` in it."""
        return Remote(url=f"{self.url.rstrip('/')}/{name}", store=self.store)

    def __str__(self) -> str:
        """The URL."""
        return self.url


Folder = Path | Remote
"""A folder of this machine, or one at a URL."""


def located(place: str, store: StoreConfig) -> Folder:
    """The folder that a path or URL names."""
    return Remote(url=place, store=store) if "://" in place else Path(place)


def read_bytes(file: Folder) -> bytes:
    """All of a small file.

    Raises:
        FileNotFoundError: there is none.
        Refusal: its URL cannot be read.
    """
    if isinstance(file, Path):
        return file.read_bytes()
    return _tried(file, lambda system, path: bytes(system.cat_file(path)))


def open_file(file: Folder, *, digest: str, size: int) -> BinaryIO:
    """A large file, opened for reading; one at a URL by way of the cache.

    Args:
        file: where it is.
        digest: SHA-256 of its bytes, in hex; checked when it is fetched.
        size: the most bytes it may have.

    Raises:
        FileNotFoundError: there is none.
        DamageError: what was fetched has another digest.
        Refusal: its URL cannot be read, or the cache cannot hold it.
    """
    if isinstance(file, Path):
        return file.open("rb")
    kept = Cache(Path(file.store.cache), limit=int(file.store.cache_gib * 2**30))
    return kept.open(digest, size=size, fetch=lambda to: _tried(file, lambda fs, path: fs.get_file(path, str(to))))


def _tried(file: Remote, action: Callable[[Any, str], T]) -> T:
    """What `action` makes of the URL's file system and path, tried again where the network or the store fails."""
    import fsspec  # noqa: PLC0415  (shards in a folder need none of this)

    try:
        system, path = fsspec.url_to_fs(file.url)
    except (ValueError, ImportError) as error:
        raise Refusal(f"{file}: {error}; wanted a folder, or a URL that fsspec knows, such as s3://") from None
    wait = file.store.wait
    for attempt in range(1, file.store.tries + 1):
        try:
            return action(system, path)
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise Refusal(f"{file}: access is denied: {_line(error)}; give the store's credentials") from None
        except failures() as error:
            if attempt == file.store.tries:
                raise Refusal(
                    f"{file}: cannot be read after {attempt} tries, the last of which failed with {_line(error)}; see "
                    "whether the store is up, and whether this machine knows its address (AWS_ENDPOINT_URL)"
                ) from None
            log.warning(
                "%s: try %d of %d failed: %s; next in %.3g s", file, attempt, file.store.tries, _line(error), wait
            )
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
    raise AssertionError


@cache
def failures() -> tuple[type[Exception], ...]:
    """Errors of the network and of stores, as fsspec's file systems let them through."""
    from aiohttp import ClientError  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    return OSError, ClientError, BotoCoreError


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
