"""Batches of clips from shards.

The tars are WebDataset's; the order of reading is ours, because webdataset has no resume, its seeded shuffles repeat or
ignore their seed, and unequal ranks would hang DDP. The manifest says where in its tar a record begins, so the order is
planned first (`order.py`) and then only those bytes are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from pipeline.refusal import Refusal
from pipeline.shards.ahead import ahead
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.batch import ClipBatch, collate
from pipeline.shards.damage import REPAIR, DamageError
from pipeline.shards.manifest import Manifest, read_manifest
from pipeline.shards.order import evaluation_places, spare_places, steps_per_epoch, training_places
from pipeline.shards.processes import from_processes
from pipeline.shards.records import RecordReader, records_of
from pipeline.shards.sample import ClipSample, from_json
from pipeline.shards.source import Source
from pipeline.shards.store import Folder, StoreConfig
from pipeline.shards.view import Bboxes, evaluation_views, training_views

__all__ = ["ReaderConfig", "evaluation_batches", "read_samples", "steps_per_epoch", "training_batches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderConfig:
    """How training reads (section `reader`)."""

    workers: int
    """Processes that decode for one rank; 0 decodes in the rank's own."""
    prefetch: int
    """Batches that each of them makes ahead; without such processes, a thread of the rank does, or with 0 nobody."""
    shuffle: int
    """Records within which the order is random; over an epoch, shards are permuted as well."""
    max_bad_share: float
    """The largest share of a rank's records in an epoch that training does without because they cannot be read."""
    augment: AugmentConfig
    store: StoreConfig

    def __post_init__(self) -> None:
        """Refuse what reads nothing."""
        for name in ("workers", "prefetch"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 0")
        if self.shuffle < 1:
            raise ValueError(f"shuffle: got {self.shuffle}, wanted at least 1")
        if not 0 <= self.max_bad_share < 1:
            raise ValueError(f"max_bad_share: got {self.max_bad_share}, wanted at least 0 and less than 1")


def training_batches(  # noqa: PLR0913  (one flat call, each argument with one meaning)
    folder: Folder,
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
        folder: a split's shards, here or at a URL.
        config: how to read and augment.
        input_size: height and width of the crops.
        batch_size: samples in one rank's batch.
        seed: with `epoch`, decides the order, and with the sample's key also, its augmentation.
        epoch: counts from 0.
        rank: whose batches.
        world: number of ranks; each has `steps_per_epoch` batches.
        first_step: batches to leave out, without reading them: where an interrupted epoch goes on.
        keyframe_only: decode the keyframe alone, so that T is 1; its augmentation stays as it was drawn for the clip.

    A record that cannot be read is quarantined: another one, drawn by (seed, epoch) and its place, stands in, so that
    ranks stay equal, and the batch names it.

    Raises:
        Refusal: a shard is missing or cannot be fetched, or, while reading, more than `config.max_bad_share` of the
            rank's records of the epoch are bad.
    """
    manifest = read_manifest(folder)
    places = training_places(
        manifest, shuffle=config.shuffle, batch_size=batch_size, seed=seed, epoch=epoch, rank=rank, world=world
    )
    times = _times(manifest, keyframe_only=keyframe_only)
    source = Source(
        records=records_of(manifest, folder),
        places=places[first_step * batch_size :],
        batch_size=batch_size,
        input_size=input_size,
        times=times,
        plan=training_views(manifest, config.augment, seed=seed, epoch=epoch, input_size=input_size, times=times),
        spares=partial(spare_places, [shard.samples for shard in manifest.shards], seed=seed, epoch=epoch),
    )
    batches = _batches(source, workers=config.workers, prefetch=config.prefetch)
    return _tolerant(batches, share=config.max_bad_share, records=len(places), folder=folder)


def evaluation_batches(  # noqa: PLR0913
    folder: Folder,
    *,
    input_size: tuple[int, int],
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    bbox: Bboxes = "keyframe",
    keyframe_only: bool = False,
    workers: int = 0,
) -> Iterator[ClipBatch]:
    """A rank's share of all samples, each exactly once over the ranks, in the manifest's order, not augmented.

    Args:
        folder: a split's shards, here or at a URL.
        input_size: height and width of the crops.
        batch_size: samples in a batch; a batch may have fewer, a rank none at all.
        rank: whose share.
        world: number of ranks.
        bbox: crop by the keyframe's own bbox, by the one interpolated from its neighbours, or by a detector's; samples
            without the wanted one are left out.
        keyframe_only: decode the keyframe alone, so that T is 1.
        workers: processes that decode; 0 decodes in this one.

    Nothing stands in for a record that cannot be read, and none is left out: a score of other samples would be another
    score, and the shards are repaired by one command.

    Raises:
        Refusal: a shard is missing or cannot be fetched, or a record is damaged; the message names it.
    """
    manifest = read_manifest(folder)
    source = Source(
        records=records_of(manifest, folder),
        places=evaluation_places(manifest, rank=rank, world=world),
        batch_size=batch_size,
        input_size=input_size,
        times=_times(manifest, keyframe_only=keyframe_only),
        plan=evaluation_views(manifest, bbox=bbox, input_size=input_size),
        spares=None,
    )
    return _batches(source, workers=workers, prefetch=2)


def read_samples(folder: Folder) -> Iterator[ClipSample]:
    """The metadata of a split's samples in the manifest's order; no image is decoded.

    Raises:
        Refusal: a shard is missing or cannot be fetched, or a record is damaged; the message names it.
    """
    manifest = read_manifest(folder)
    with RecordReader(records_of(manifest, folder)) as reader:
        for shard, place in evaluation_places(manifest, rank=0, world=1).tolist():
            try:
                yield from_json(reader.read(shard, place)["json"])
            except DamageError as error:
                raise Refusal(f"{error}; {REPAIR}") from None


def _batches(source: Source, *, workers: int, prefetch: int) -> Iterator[ClipBatch]:
    """The batches that have any clips, made by processes, or by this one, ahead of whoever takes them."""
    if workers:
        made = from_processes(source, workers=workers, prefetch=max(1, prefetch))
    else:
        made = ahead(source.read(), count=prefetch) if prefetch else source.read()
    return map(collate, filter(attrgetter("clips"), made))


def _times(manifest: Manifest, *, keyframe_only: bool) -> tuple[int, ...]:
    return (manifest.keyframe,) if keyframe_only else tuple(range(len(manifest.clip)))


def _tolerant(batches: Iterator[ClipBatch], *, share: float, records: int, folder: Folder) -> Iterator[ClipBatch]:
    """The batches, until more than a share of the records that a rank has in the epoch was quarantined."""
    bad = 0

    def counted(batch: ClipBatch) -> ClipBatch:
        nonlocal bad
        bad += len(batch.quarantined)
        if bad > share * records:
            raise Refusal(
                f"{folder}: {bad} of {records} records cannot be read, wanted at most {share:.3g} of them "
                f"(reader.max_bad_share); the last: {batch.quarantined[-1]}; {REPAIR}"
            )
        return batch

    return map(counted, batches)  # a loop that yields would hold a batch, and its memory, while the next one is made
