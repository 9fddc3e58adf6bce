"""What the benchmarks of reading share: the size of their crops, and the settings of params.yaml and its presets."""

import tempfile
from pathlib import Path

from pipeline import params
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.border import Views
from pipeline.shards.reader import ReaderConfig
from pipeline.shards.recipe import Recipe, ShardConfig

SIZE = (256, 192)
"""Height and width of the input."""


def reader_config(preset: str, *, workers: int, prefetch: int) -> ReaderConfig:
    """Section `reader` with a preset laid over it, and these processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_bytes(Path("params.yaml").read_bytes())
        params.use_preset(path, Path("presets"), preset)
        values = params.read(path)["reader"]
    return params.parse({**values, "workers": workers, "prefetch": prefetch}, ReaderConfig, name="reader")


def recipe_of(augment: AugmentConfig) -> Recipe:
    """Crops with the border that the augmentation needs, in shards of the default's."""
    shard = params.load(Path("params.yaml"), "shard", into=ShardConfig)
    views = Views(
        rotation=augment.rotation,
        rotation_probability=augment.rotation_probability,
        scale=augment.scale,
        shift=augment.shift,
    )
    return Recipe(shard=shard, input_size=SIZE, offsets=(-2, -1, 1, 2), views=views)
