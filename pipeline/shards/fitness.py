"""Whether shards suit a training run: tars for all who read, and crops as wide as views are drawn."""

from dataclasses import fields

from pipeline.refusal import Refusal
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.border import Views, border_of
from pipeline.shards.manifest import Manifest

SHARDS_PER_PROCESS = 4
"""Tars for each process that reads: with fewer, processes wait for the same ones, and an epoch is hardly shuffled."""


def fewest_shards(*, ranks: int, workers: int) -> int:
    """Tars that a training split needs for so many ranks with so many reading processes each; 0 reads in the rank's."""
    return SHARDS_PER_PROCESS * ranks * max(1, workers)


def refuse_few(shards: int, *, what: str, ranks: int, workers: int) -> None:
    """There must be a few tars for every process that reads.

    Args:
        shards: how many there are, or will be at least.
        what: has them; begins the message.
        ranks: training processes.
        workers: reading processes of each.

    Raises:
        Refusal: there are too few; the message holds the arithmetic.
    """
    wanted = fewest_shards(ranks=ranks, workers=workers)
    if shards < wanted:
        raise Refusal(
            f"{what}: got {shards} shards, wanted at least {wanted} = {SHARDS_PER_PROCESS} x {ranks} ranks "
            f"(cluster.workers) x {max(1, workers)} that read for each (reader.workers); set shard.min_shards to "
            f"{wanted}, or read with fewer"
        )


def refuse_narrow(manifest: Manifest, augment: AugmentConfig) -> None:
    """Stored crops must reach as far as training views are drawn.

    Raises:
        Refusal: they were stored for views that vary less.
    """
    views = Views(**{field.name: getattr(augment, field.name) for field in fields(Views)})
    recipe = manifest.recipe
    wanted = border_of(views, size=recipe.input_size, coverage=recipe.shard.coverage)
    stored = (manifest.stored_size[0] - recipe.input_size[0]) // 2
    if stored < wanted:
        shown = ", ".join(f"{field.name} {getattr(views, field.name):g}" for field in fields(views))
        raise Refusal(
            f"reader.augment: wanted a border of {wanted} pixels around stored crops, so that views of {shown} find "
            f"{recipe.shard.coverage:.4g} of their pixels, but split {manifest.split} was stored with {stored}; run "
            "stage shard again, or vary views less"
        )
