"""Planned batches made of records: read, decoded and cropped, in this process, a thread of it, or several others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.refusal import Refusal
from pipeline.shards.ahead import ahead
from pipeline.shards.batch import Clip, ClipBatch, collate
from pipeline.shards.crop import Image
from pipeline.shards.damage import REPAIR, DamageError
from pipeline.shards.order import Places
from pipeline.shards.records import RecordReader, Records
from pipeline.shards.sample import ClipSample, from_json
from pipeline.shards.view import Plan, Planned, draw

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One rank's batches, planned: what crosses to the processes that read."""

    records: Records
    places: Places
    """The records of all batches, in order."""
    batch_size: int
    input_size: tuple[int, int]
    times: tuple[int, ...]
    """Which of a clip's frames are decoded."""
    plan: Plan
    spares: Callable[..., Iterator[tuple[int, int]]] | None
    """Gives the places of what may stand in for a bad record; None where nothing may."""

    def read(self, *, start: int, step: int) -> Iterator[ClipBatch]:
        """Batches `start`, `start` + `step`, ... without those of which no clip is left."""
        cv2.setNumThreads(0)
        with RecordReader(self.records) as reader:
            for first in range(start * self.batch_size, len(self.places), step * self.batch_size):
                batch = self._batch(self.places[first : first + self.batch_size], reader)
                if batch is not None:
                    yield batch

    def _batch(self, places: Places, reader: RecordReader) -> ClipBatch | None:
        bad: list[str] = []
        planned = [self._job_or_spare(shard, place, reader=reader, bad=bad) for shard, place in places.tolist()]
        jobs = [job for job in planned if job is not None]
        if not jobs:
            return None
        frames = self._frames(len(jobs))
        clips = [self._clip_or_spare(job, frames[row], reader=reader, bad=bad) for row, job in enumerate(jobs)]
        return collate(clips, frames, quarantined=bad)

    def _frames(self, clips: int) -> UInt8[np.ndarray, "B T H W 3"]:
        return np.empty((clips, len(self.times), *self.input_size, 3), dtype=np.uint8)

    def _job_or_spare(self, shard: int, place: int, *, reader: RecordReader, bad: list[str]) -> "_Job | None":
        """A record that is read and planned, or another in its place; None where it has no place in the batch."""
        try:
            return self._job(shard, place, reader=reader)
        except DamageError as error:

            def attempt(spare: tuple[int, int]) -> _Job | None:
                self._drawn(self._job(*spare, reader=reader), self._frames(1)[0])
                return self._job(*spare, reader=reader)

            return self._instead(error, shard, place, attempt=attempt, bad=bad)

    def _clip_or_spare(
        self, job: "_Job", frames: UInt8[np.ndarray, "T H W 3"], *, reader: RecordReader, bad: list[str]
    ) -> Clip:
        """The clip of a record, its pixels drawn, or another in its place."""
        try:
            return self._drawn(job, frames)
        except DamageError as error:

            def attempt(spare: tuple[int, int]) -> Clip:
                return self._drawn(self._job(*spare, reader=reader), frames)

            return self._instead(error, job.shard, job.place, attempt=attempt, bad=bad)

    def _instead(
        self, error: DamageError, shard: int, place: int, *, attempt: Callable[[tuple[int, int]], T], bad: list[str]
    ) -> T:
        """What `attempt` makes of the first good record among a bad one's spares; the bad one's name joins `bad`."""
        if self.spares is None:
            raise Refusal(f"{error}; {REPAIR}") from None
        bad.append(str(error))
        for spare in self.spares(shard=shard, place=place):
            try:
                return attempt(spare)
            except DamageError:
                continue
        raise Refusal(f"{error}, nor can any record that was tried in its place; {REPAIR}")

    def _job(self, shard: int, place: int, *, reader: RecordReader) -> "_Job | None":
        members = reader.read(shard, place)
        name = partial(reader.name, shard, place)
        planned = self.plan(_sample(members, name=name))
        return None if planned is None else _Job(shard=shard, place=place, planned=planned, members=members, name=name)

    def _drawn(self, job: "_Job | None", frames: UInt8[np.ndarray, "T H W 3"]) -> Clip:
        assert job is not None  # only evaluation leaves records out, and nothing stands in there
        draw(job.planned, frames, times=self.times, decode=partial(_decode, job.members, name=job.name))
        return job.planned.clip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A record that is read, and the clip that is to be made of it."""

    shard: int
    place: int
    planned: Planned
    members: Mapping[str, bytes]
    name: Callable[[], str]


def _sample(members: Mapping[str, bytes], *, name: Callable[[], str]) -> ClipSample:
    try:
        return from_json(members.get("json", b""))
    except ValueError:
        raise DamageError(f"{name()}: its json is not a sample's") from None


def _decode(members: Mapping[str, bytes], time: int, *, name: Callable[[], str]) -> Image:
    """The stored crop at one time, as RGB; `name` tells whose, where it cannot be decoded."""
    data = np.frombuffer(members.get(f"{time}.jpg", b""), dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    if image is None:
        raise DamageError(f"{name()}: {time}.jpg is not an image that can be decoded")
    return image


def iterate(source: Source, *, workers: int, prefetch: int) -> Iterator[ClipBatch]:
    """All batches in order, made by `workers` processes that are `prefetch` batches ahead, or by a thread that is."""
    if workers:
        loader = DataLoader(
            _Parts(source),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=max(1, prefetch),
            multiprocessing_context="forkserver",
        )
        return iter(loader)
    batches = source.read(start=0, step=1)
    return ahead(batches, count=prefetch) if prefetch else batches


class _Parts(IterableDataset[ClipBatch]):
    """Of W reading processes, process w reads batches w, w + W, ...; torch takes them in turn, so their order stays."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[ClipBatch]:
        worker = get_worker_info()
        assert worker is not None
        return self._source.read(start=worker.id, step=worker.num_workers)
