"""In which order a rank reads which records: functions of the manifest alone, so any step can be entered at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from pipeline.refusal import Refusal
from pipeline.shards.manifest import Manifest

Places = Int64[np.ndarray, "_ 2"]
"""Records as (shard, position within it)."""

SPARES = 100
"""How many records are tried in the place of a bad one."""


def steps_per_epoch(manifest: Manifest, *, batch_size: int, world: int) -> int:
    """Batches that every rank has in one epoch; what does not fill a batch on all ranks waits for another epoch.

    Args:
        manifest: of the training split.
        batch_size: samples in one rank's batch.
        world: number of ranks.

    Raises:
        Refusal: there are too few samples for a single step.
    """
    steps = manifest.samples // (batch_size * world)
    if steps == 0:
        raise Refusal(
            f"split {manifest.split} has {manifest.samples} samples, wanted at least {batch_size * world} for "
            f"{world} ranks with batches of {batch_size}; lower the batch size or the number of workers"
        )
    return steps


def training_places(
    manifest: Manifest, *, shuffle: int, batch_size: int, seed: int, epoch: int, rank: int, world: int
) -> Places:
    """A rank's records in one epoch, in order; the ranks' shares are disjoint and equally many.

    The shards are permuted for all ranks alike, their records put end to end and cut into one stretch a rank, so that a
    rank reads few shards; within `shuffle` records of a stretch the order is random.
    """
    rng = np.random.default_rng([seed, epoch])
    records = _records(manifest, rng.permutation(len(manifest.shards)))
    share = steps_per_epoch(manifest, batch_size=batch_size, world=world) * batch_size
    own = records[rank * share : (rank + 1) * share]
    mixing = np.random.default_rng([seed, epoch, rank])
    return np.concatenate([mixing.permutation(own[start : start + shuffle]) for start in range(0, share, shuffle)])


def evaluation_places(manifest: Manifest, *, rank: int, world: int) -> Places:
    """A rank's stretch of all records in the manifest's order; stretches differ by one record at most."""
    return np.array_split(_records(manifest, np.arange(len(manifest.shards))), world)[rank]


def spare_places(counts: Sequence[int], *, seed: int, epoch: int, shard: int, place: int) -> Iterator[tuple[int, int]]:
    """Records to be tried in the place of a bad one, drawn from the whole split: the same whoever reads.

    Args:
        counts: records of each shard.
        seed: with `epoch` and the bad record's place, decides what is drawn.
        epoch: counts from 0.
        shard: where the bad record is.
        place: its position there.
    """
    ends = np.cumsum(counts)
    for number in np.random.default_rng([seed, epoch, shard, place]).integers(ends[-1], size=SPARES):
        drawn = int(np.searchsorted(ends, number, side="right"))
        yield drawn, int(number - ends[drawn] + counts[drawn])


def _records(manifest: Manifest, shards: Int64[np.ndarray, " M"]) -> Places:
    counts = [manifest.shards[shard].samples for shard in shards]
    return np.column_stack([np.repeat(shards, counts), np.concatenate([np.arange(count) for count in counts])])
