"""Batches of clips from shards.

The tars are WebDataset's; the order of reading is ours, because webdataset has no resume, its seeded shuffles repeat or
ignore their seed, and unequal ranks would hang DDP. The manifest says where in its tar a record begins, so the order is
planned first (`order.py`) and then only those bytes are read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.refusal import Refusal
from pipeline.shards import record
from pipeline.shards.augment import AugmentConfig, generator
from pipeline.shards.batch import Clip, ClipBatch, collate
from pipeline.shards.crop import Image
from pipeline.shards.manifest import Manifest, read_manifest
from pipeline.shards.order import Places, evaluation_places, steps_per_epoch, training_places
from pipeline.shards.sample import from_json
from pipeline.shards.view import evaluation_clip, training_clip

__all__ = ["ReaderConfig", "evaluation_batches", "steps_per_epoch", "training_batches"]

REPAIR = "`dvc checkout data/shards` brings the shards back, `dvc repro -f shard` packs them anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderConfig:
    """How training reads (section `reader`)."""

    workers: int
    """Processes that decode for one rank; 0 decodes in the rank's own."""
    shuffle: int
    """Records within which the order is random; over an epoch, shards are permuted as well."""
    augment: AugmentConfig

    def __post_init__(self) -> None:
        """Refuse what reads nothing."""
        if self.workers < 0:
            raise ValueError(f"workers: got {self.workers}, wanted at least 0")
        if self.shuffle < 1:
            raise ValueError(f"shuffle: got {self.shuffle}, wanted at least 1")


def training_batches(  # noqa: PLR0913  (one flat call, each argument with one meaning)
    folder: Path,
    config: ReaderConfig,
    *,
    input_size: tuple[int, int],
    batch_size: int,
    seed: int,
    epoch: int,
    rank: int,
    world: int,
    first_step: int = 0,
    keyframe_only: bool = False,
) -> Iterator[ClipBatch]:
    """One rank's augmented batches of one epoch, the same whatever the number of reading processes.

    Args:
        folder: a split's shards.
        config: how to read and augment.
        input_size: height and width of the crops.
        batch_size: samples in one rank's batch.
        seed: with `epoch`, decides the order, and with the sample's key also, its augmentation.
        epoch: counts from 0.
        rank: whose batches.
        world: number of ranks; each has `steps_per_epoch` batches.
        first_step: batches to leave out, without reading them: where an interrupted epoch goes on.
        keyframe_only: decode the keyframe alone, so that T is 1; its augmentation stays as it was drawn for the clip.

    Raises:
        Refusal: a shard is missing, cut short or damaged; the message names it.
    """
    manifest = read_manifest(folder)
    places = training_places(
        manifest, shuffle=config.shuffle, batch_size=batch_size, seed=seed, epoch=epoch, rank=rank, world=world
    )
    make = partial(
        training_clip,
        augment=config.augment,
        rng_of=partial(generator, seed, epoch=epoch),
        skeleton=manifest.skeleton,
        input_size=input_size,
    )
    batches = _cut(places, batch_size)[first_step:]
    source = _Batches(folder=folder, manifest=manifest, batches=batches, make=make, keyframe_only=keyframe_only)
    return _iterate(source, workers=config.workers)


def evaluation_batches(  # noqa: PLR0913
    folder: Path,
    *,
    input_size: tuple[int, int],
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    bbox: Literal["keyframe", "neighbour"] = "keyframe",
    keyframe_only: bool = False,
    workers: int = 0,
) -> Iterator[ClipBatch]:
    """A rank's share of all samples, each exactly once over the ranks, in the manifest's order, not augmented.

    Args:
        folder: a split's shards.
        input_size: height and width of the crops.
        batch_size: samples in a batch; a batch may have fewer, a rank none at all.
        rank: whose share.
        world: number of ranks.
        bbox: crop by the keyframe's own bbox, or by the one interpolated from its neighbours; samples without the
            latter are left out then.
        keyframe_only: decode the keyframe alone, so that T is 1.
        workers: processes that decode; 0 decodes in this one.

    Raises:
        Refusal: a shard is missing, cut short or damaged; the message names it.
    """
    manifest = read_manifest(folder)
    places = evaluation_places(manifest, rank=rank, world=world)
    make = partial(evaluation_clip, skeleton=manifest.skeleton, input_size=input_size, bbox=bbox)
    batches = _cut(places, batch_size)
    source = _Batches(folder=folder, manifest=manifest, batches=batches, make=make, keyframe_only=keyframe_only)
    return _iterate(source, workers=workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batches:
    """Planned batches of one split."""

    folder: Path
    manifest: Manifest
    batches: list[Places]
    make: Callable[..., Clip | None]
    """`training_clip` or `evaluation_clip`, but for its first two arguments."""
    keyframe_only: bool

    def read(self, *, start: int, step: int) -> Iterator[ClipBatch]:
        """Batches `start`, `start` + `step`, ... without those of which no clip is left."""
        cv2.setNumThreads(0)
        for places in self.batches[start::step]:
            clips = [self._clip(shard, place) for shard, place in places.tolist()]
            kept = [clip for clip in clips if clip is not None]
            if kept:
                yield collate(kept)

    def _clip(self, shard: int, place: int) -> Clip | None:
        path = self.folder / self.manifest.shards[shard].name
        members = read_record(path, *self.manifest.shards[shard].span(place))
        sample = from_json(members["json"])
        times = [self.manifest.keyframe] if self.keyframe_only else range(len(self.manifest.clip))
        return self.make(sample, partial(_decode_all, members, times=times, path=path, key=sample.key), times=times)


def _cut(places: Places, batch_size: int) -> list[Places]:
    return [places[start : start + batch_size] for start in range(0, len(places), batch_size)]


def _iterate(source: _Batches, *, workers: int) -> Iterator[ClipBatch]:
    if workers == 0:
        return source.read(start=0, step=1)
    parts = _Parts(source)
    return iter(DataLoader(parts, batch_size=None, num_workers=workers, multiprocessing_context="forkserver"))


class _Parts(IterableDataset[ClipBatch]):
    """Of W reading processes, process w reads batches w, w + W, ...; torch takes them in turn, so their order stays."""

    def __init__(self, source: _Batches) -> None:
        self._source = source

    def __iter__(self) -> Iterator[ClipBatch]:
        worker = get_worker_info()
        assert worker is not None
        return self._source.read(start=worker.id, step=worker.num_workers)


def read_record(path: Path, start: int, stop: int) -> dict[str, bytes]:
    """The members of the record in bytes `start` to `stop` of a tar.

    Raises:
        Refusal: the tar is missing, cut short or damaged.
    """
    if not path.is_file():
        raise Refusal(f"{path}: no such file, though manifest.json lists it; {REPAIR}")
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(stop - start)
    if len(data) < stop - start:
        raise Refusal(f"{path}: cut short at byte {start + len(data)}, wanted at least {stop}; {REPAIR}")
    try:
        return record.decode(data)[1]
    except ValueError as error:
        raise Refusal(f"{path}: damaged between bytes {start} and {stop}: {error}; {REPAIR}") from None


def _decode_all(members: Mapping[str, bytes], *, times: Sequence[int], path: Path, key: str) -> list[Image]:
    """The stored crops at some of a record's times, as RGB."""
    images = []
    for time in times:
        data = np.frombuffer(members[f"{time}.jpg"], dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise Refusal(f"{path}: {key}.{time}.jpg is not an image that can be decoded; {REPAIR}")
        images.append(image)
    return images
