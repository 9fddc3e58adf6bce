"""The records of a split, read one by one from any place of any of its shards."""

import os
from collections import OrderedDict
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64

from pipeline.refusal import Refusal
from pipeline.shards import record
from pipeline.shards.damage import REPAIR, DamageError
from pipeline.shards.manifest import Manifest
from pipeline.shards.store import Folder, open_file

MOST_OPEN = 16
"""Shards kept open; `reader.shuffle` decides from how many at a time records are read."""
ENDING = 10_240
"""A tar is filled up to a multiple of this many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Where the records are: 8 bytes for each, so that a process that reads does not grow with the dataset."""

    folder: Folder
    names: tuple[str, ...]
    """Of the shards."""
    digests: tuple[str, ...]
    """SHA-256 of the shards."""
    ends: Int64[np.ndarray, " N"]
    """For each record, shard after shard, the byte behind it in its tar."""
    first: Int64[np.ndarray, " _"]
    """For each shard the number of its first record; behind the last, how many there are."""
    stored_size: tuple[int, int]
    """Height and width of the pictures in records."""

    def span(self, shard: int, place: int) -> tuple[int, int]:
        """A record's first byte in its tar, and the byte behind it."""
        number = int(self.first[shard]) + place
        return (int(self.ends[number - 1]) if place else 0), int(self.ends[number])


def records_of(manifest: Manifest, folder: Folder) -> Records:
    """What of a manifest is needed to read."""
    counts = [shard.samples for shard in manifest.shards]
    return Records(
        folder=folder,
        names=tuple(shard.name for shard in manifest.shards),
        digests=tuple(shard.sha256 for shard in manifest.shards),
        ends=np.fromiter((end for shard in manifest.shards for end in shard.ends), dtype=np.int64, count=sum(counts)),
        first=np.cumsum([0, *counts]),
        stored_size=manifest.stored_size,
    )


class RecordReader:
    """Reads records, and keeps the shards open that were used last."""

    def __init__(self, records: Records) -> None:
        """No shard is opened before it is read."""
        self._records = records
        self._open: OrderedDict[int, BinaryIO] = OrderedDict()
        self._damaged: dict[int, str] = {}

    def __enter__(self) -> "RecordReader":  # noqa: PYI034  (beartype knows Self in classes that it decorates alone)
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the shards."""
        for file in self._open.values():
            file.close()

    def key(self, shard: int, place: int) -> str | None:
        """A record's key, from its first bytes alone; None where they are no header."""
        start, _ = self._records.span(shard, place)
        return _key_of(os.pread(self._file(shard).fileno(), record.BLOCK, start))

    def name(self, shard: int, place: int) -> str:
        """What messages call a record: its key, where that can be read, and its shard."""
        called = self.key(shard, place) or f"record {place}"
        return f"{called} in {self._records.folder / self._records.names[shard]}"

    def read(self, shard: int, place: int) -> dict[str, bytes]:
        """The members of a record.

        Raises:
            Refusal: the shard is missing or cannot be fetched.
            DamageError: the shard is cut short, or the record is none; the message names both.
        """
        start, stop = self._records.span(shard, place)
        data = os.pread(self._file(shard).fileno(), stop - start, start)
        if len(data) < stop - start:
            end = f"it ends at byte {start + len(data)}, wanted at least {stop}"
            raise DamageError(f"{self.name(shard, place)}: the shard is cut short: {end}")
        try:
            return record.decode(data)[1]
        except ValueError as error:
            raise DamageError(f"{self.name(shard, place)}: damaged: {error}") from None

    def _file(self, shard: int) -> BinaryIO:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        if shard in self._damaged:
            raise DamageError(self._damaged[shard])
        if len(self._open) == MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[shard] = self._opened(shard)
        return self._open[shard]

    def _opened(self, shard: int) -> BinaryIO:
        path = self._records.folder / self._records.names[shard]
        size = int(self._records.ends[self._records.first[shard + 1] - 1]) + 2 * ENDING
        try:
            return open_file(path, digest=self._records.digests[shard], size=size)
        except FileNotFoundError:
            raise Refusal(f"{path}: no such file, though manifest.json lists it; {REPAIR}") from None
        except DamageError as error:
            self._damaged[shard] = f"{path}: {error}"
            raise DamageError(self._damaged[shard]) from None


def _key_of(header: bytes) -> str | None:
    """The key of the record that begins with this block; None where it is no header."""
    if header[257:262] != b"ustar":
        return None
    return header[:100].rstrip(b"\0").decode("ascii", "replace").partition(".")[0]
