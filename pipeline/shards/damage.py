"""Records that cannot be used."""

REPAIR = "`dvc checkout data/shards` brings the shards back, `dvc repro -f shard` packs them anew"
"""What to do about them."""


class DamageError(ValueError):
    """A record, or the whole shard around it, is not what was written."""
