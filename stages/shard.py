"""Stage shard: crop the indexed clips and pack them into shards."""

from pathlib import Path

from dsn.parts import ClipConfig
from pipeline import params
from pipeline.entry import run_stage
from pipeline.posetrack.index import read_index
from pipeline.shards.border import Views
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.shards.writer import write_shards

P = Path("params.yaml")


def main(index: Path, root: Path, out: Path) -> None:
    """Pack the clips as params.yaml says."""
    recipe = Recipe(
        shard=params.load(P, "shard", into=ShardConfig),
        input_size=params.load(P, "model.input_size", into=tuple[int, int]),
        offsets=params.load(P, "model.clip", into=ClipConfig).offsets,
        views=Views(
            rotation=params.load(P, "reader.augment.rotation", into=float),
            rotation_probability=params.load(P, "reader.augment.rotation_probability", into=float),
            scale=params.load(P, "reader.augment.scale", into=float),
            shift=params.load(P, "reader.augment.shift", into=float),
        ),
    )
    write_shards(read_index(index), root, out, recipe)


if __name__ == "__main__":
    run_stage(main)
