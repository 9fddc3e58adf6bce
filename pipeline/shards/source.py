"""Planned batches made of records: read, decoded and cropped, in this process, a thread of it, or several others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

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
from pipeline.shards.view import Make


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
    make: Make
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
        frames = np.empty((len(places), len(self.times), *self.input_size, 3), dtype=np.uint8)
        clips: list[Clip] = []
        bad: list[str] = []
        for shard, place in places.tolist():
            clip = self._clip_or_spare(shard, place, reader=reader, frames=frames[len(clips)], bad=bad)
            if clip is not None:
                clips.append(clip)
        return collate(clips, frames[: len(clips)], quarantined=bad) if clips else None

    def _clip_or_spare(
        self, shard: int, place: int, *, reader: RecordReader, frames: UInt8[np.ndarray, "T H W 3"], bad: list[str]
    ) -> Clip | None:
        """The record's clip; where it is bad, that of the first good record among its spares, and its name in `bad`."""
        try:
            return self._clip(shard, place, reader=reader, frames=frames)
        except DamageError as error:
            if self.spares is None:
                raise Refusal(f"{error}; {REPAIR}") from None
            bad.append(str(error))
        for spare in self.spares(shard=shard, place=place):
            try:
                return self._clip(*spare, reader=reader, frames=frames)
            except DamageError:
                continue
        raise Refusal(f"{bad[-1]}, nor can any record that was tried in its place; {REPAIR}")

    def _clip(
        self, shard: int, place: int, *, reader: RecordReader, frames: UInt8[np.ndarray, "T H W 3"]
    ) -> Clip | None:
        members = reader.read(shard, place)
        name = partial(reader.name, shard, place)
        return self.make(
            _sample(members, name=name), frames, decode=partial(_decode, members, name=name), times=self.times
        )


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
