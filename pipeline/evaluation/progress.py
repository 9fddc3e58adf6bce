"""A line now and then while clips go through a network."""

import logging
from collections.abc import Iterable, Iterator
from time import monotonic

from pipeline.shards.batch import ClipBatch

LOG = logging.getLogger(__name__)
INTERVAL_SECONDS = 10.0
"""Between two lines."""


def told(batches: Iterable[ClipBatch], *, total: int, what: str) -> Iterator[ClipBatch]:
    """The batches, with a line an interval that says how many of `total` clips are done, how fast, and what is left."""
    done, start = 0, monotonic()
    last = start
    for batch in batches:
        yield batch
        done += len(batch.keys)
        if monotonic() - last > INTERVAL_SECONDS:
            last = monotonic()
            rate = done / (last - start)
            LOG.info("%s: %d of %d clips, %.1f clips/s, %.0f s left", what, done, total, rate, (total - done) / rate)
