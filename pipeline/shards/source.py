"""Planned batches made of records: read, decoded and cropped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.refusal import Refusal
from pipeline.shards.clip import Clip, Clips
from pipeline.shards.crop import Image
from pipeline.shards.damage import REPAIR, DamageError
from pipeline.shards.order import Places
from pipeline.shards.records import RecordReader, Records
from pipeline.shards.sample import ClipSample, from_json
from pipeline.shards.view import Plan, Planned, draw

T = TypeVar("T")
Empty = Callable[..., UInt8[np.ndarray, "B T H W 3"]]
"""`numpy.empty`, or another that takes a shape and a type."""


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

    def read(self, *, start: int = 0, step: int = 1, empty: Empty = np.empty) -> Iterator[Clips]:
        """Batches `start`, `start` + `step`, ...; one of whose samples none is wanted has no clips.

        `empty` gives the memory for the frames of a batch.
        """
        cv2.setNumThreads(0)
        with RecordReader(self.records) as reader:
            for first in range(start * self.batch_size, len(self.places), step * self.batch_size):
                yield self._batch(self.places[first : first + self.batch_size], reader, empty=empty)

    def _batch(self, places: Places, reader: RecordReader, *, empty: Empty) -> Clips:
        bad: list[str] = []
        planned = [self._job_or_spare(shard, place, reader=reader, bad=bad) for shard, place in places.tolist()]
        jobs = [job for job in planned if job is not None]
        frames = empty((len(jobs), *self._shape), dtype=np.uint8)
        clips = [self._clip_or_spare(job, frames[row], reader=reader, bad=bad) for row, job in enumerate(jobs)]
        return Clips(clips=tuple(clips), frames=frames, quarantined=tuple(bad))

    @property
    def _shape(self) -> tuple[int, ...]:
        return (len(self.times), *self.input_size, 3)

    def _job_or_spare(self, shard: int, place: int, *, reader: RecordReader, bad: list[str]) -> "_Job | None":
        """A record that is read and planned, or another in its place; None where it has no place in the batch."""
        try:
            return self._job(shard, place, reader=reader)
        except DamageError as error:

            def attempt(spare: tuple[int, int]) -> _Job | None:
                self._drawn(self._job(*spare, reader=reader), np.empty(self._shape, dtype=np.uint8))
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
        decode = partial(_decode, job.members, size=self.records.stored_size, name=job.name)
        is_spoilt = draw(job.planned, frames, times=self.times, decode=decode)
        return replace(job.planned.clip, is_spoilt=is_spoilt)


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


def _decode(members: Mapping[str, bytes], time: int, *, size: tuple[int, int], name: Callable[[], str]) -> Image:
    """The stored crop at one time, as RGB; `name` tells whose, where it cannot be decoded."""
    data = np.frombuffer(members.get(f"{time}.jpg", b""), dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    if image is None:
        raise DamageError(f"{name()}: {time}.jpg is not an image that can be decoded")
    if image.shape[:2] != size:
        raise DamageError(
            f"{name()}: {time}.jpg has {image.shape[0]} x {image.shape[1]} pixels, not {size[0]} x {size[1]}"
        )
    return image
