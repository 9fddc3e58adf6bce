"""A folder of fetched files that never grows beyond its limit; any number of processes may use it at once.

A file's name is the digest of its bytes, so it never changes, and what is in the folder needs no asking elsewhere. It
gets that name when it is whole and right, so a process that is killed leaves nothing that another could mistake.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from pipeline.artifacts import sha256
from pipeline.refusal import Refusal
from pipeline.shards.damage import DamageError

PAUSE = 0.05
"""Seconds between two looks for room."""


class Cache:
    """Files by digest. Those used longest ago make room for others; whoever has one open can read on.

    Such a file takes up its space until it is closed, beyond the limit.
    """

    def __init__(self, folder: Path, *, limit: int) -> None:
        """`limit` is the largest size of all files together, in bytes."""
        self._folder, self._limit = folder, limit

    def open(self, digest: str, *, size: int, fetch: Callable[[Path], None]) -> BinaryIO:
        """The file of this digest; `fetch` writes it to a path where it is not here yet.

        Processes that want the same file wait for the one that fetches it.

        Args:
            digest: SHA-256 of the file's bytes, in hex.
            size: the most bytes it may have.
            fetch: called with the path to write.

        Raises:
            DamageError: what was fetched has another digest.
            Refusal: the file is larger than the limit.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock(digest):
            path = self._folder / digest
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return self._add(path, size=size, fetch=fetch)
            os.utime(file.fileno())  # by now another process may have taken its name away
            return file

    def _lock(self, digest: str, *, timeout: float = -1.0) -> FileLock:
        """The lock of a file, which it shares with a few others: there is one for each first byte of a digest."""
        return FileLock(self._folder / f"{digest[:2]}.lock", timeout=timeout)

    def _add(self, path: Path, *, size: int, fetch: Callable[[Path], None]) -> BinaryIO:
        part, room = path.with_suffix(".part"), path.with_suffix(".room")
        self._make_room(room, size=size)
        try:
            fetch(part)
            found = sha256(part)
            if found != path.name:
                raise DamageError(f"its bytes have the SHA-256 {found[:12]}..., wanted {path.name[:12]}...")
            file = part.open("rb")  # before it has its name, under which it may be removed at once
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
            with self._room_lock():
                room.unlink(missing_ok=True)
        return file

    def _make_room(self, room: Path, *, size: int) -> None:
        """Set `size` bytes aside by the empty file `room`, when those that others fetch leave as much."""
        if size > self._limit:
            raise Refusal(
                f"reader.store.cache_gib: got {self._limit / 2**30:.3g}, wanted at least {size / 2**30:.3g}, the size "
                "of one shard"
            )
        while not self._set_aside(room, size=size):
            time.sleep(PAUSE)

    def _room_lock(self) -> FileLock:
        return FileLock(self._folder / "room.lock")

    def _set_aside(self, room: Path, *, size: int) -> bool:
        """Remove what was used longest ago until `size` bytes fit, and hold them; False where they do not."""
        with self._room_lock():
            self._clear_stale()
            files = sorted((path.stat().st_mtime_ns, path) for path in self._folder.iterdir() if not path.suffix)
            taken = sum(path.stat().st_size for path in self._folder.iterdir() if path.suffix in {"", ".room"})
            for _, path in files:
                if taken + size <= self._limit:
                    break
                taken -= path.stat().st_size
                path.unlink()
            if taken + size > self._limit:
                return False
            with room.open("wb") as file:
                file.truncate(size)  # takes no space: the file has a size and no bytes
            return True

    def _clear_stale(self) -> None:
        """Remove what processes left that were killed while they fetched; whoever lives holds a lock."""
        for room in list(self._folder.glob("*.room")):
            try:
                with self._lock(room.stem, timeout=0.0):
                    room.with_suffix(".part").unlink(missing_ok=True)
                    room.unlink(missing_ok=True)
            except Timeout:
                continue
