"""Bytes of a clip at several JPEG qualities of the stored crops, and what they cost a trained network.

Without a network, only bytes are told. With `--model FOLDER` (what stage train writes) the clips of the chosen split
are stored at each quality and read by the network; its readouts are scored as training scores them on select. The
dataset and the recipe are those of an index and of shards that exist: crops differ from the shards' in quality alone.
"""

import argparse
import json
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

from dsn.checkpoint import Loaded, load
from pipeline.posetrack.index import Index, read_index
from pipeline.shards.manifest import read_manifest
from pipeline.shards.pack import pack_splits
from pipeline.shards.reader import evaluation_batches
from pipeline.shards.recipe import Recipe
from pipeline.training.select import select_metrics
from pipeline.training.yardstick import yardstick_of

QUALITIES = (60, 75, 85, 90, 95, 100)
BATCH = 32
SplitName = Literal["select", "val"]


def at_quality(index: Index, root: Path, recipe: Recipe, *, model: Loaded | None, split: SplitName) -> dict[str, float]:
    """Bytes per clip over all splits, and the network's scores on one."""
    with tempfile.TemporaryDirectory() as folder:
        packed = pack_splits(index, root, Path(folder), recipe, run=map)
        row: dict[str, float] = {"bytes_per_clip": round(packed.size / sum(packed.samples.values()))}
        return row if model is None else row | scores(model, Path(folder, split))


def scores(model: Loaded, shards: Path) -> dict[str, float]:
    """The percentage of correct keypoints of the readouts."""
    batches = evaluation_batches(shards, input_size=model.config.input_size, batch_size=BATCH)
    found = select_metrics(
        model.network,
        batches,
        model=model.config,
        joints=len(model.skeleton.joints),
        yardstick=yardstick_of(read_manifest(shards)),
    )
    return {name.removeprefix("select/"): round(value, 2) for name, value in found.items()}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="what stage prepare wrote")
    parser.add_argument("--root", type=Path, required=True, help="the dataset's folder")
    parser.add_argument("--shards", type=Path, required=True, help="what stage shard wrote, for its recipe")
    parser.add_argument("--model", type=Path, help="a trained network's folder")
    parser.add_argument("--split", choices=("select", "val"), default="select")
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    given = parser.parse_args()
    logging.disable(logging.INFO)
    index, recipe = read_index(given.index), read_manifest(given.shards / given.split).recipe
    model = None if given.model is None else load(given.model)
    found = {
        str(quality): at_quality(
            index,
            given.root,
            replace(recipe, shard=replace(recipe.shard, quality=quality)),
            model=model,
            split=given.split,
        )
        for quality in given.qualities
    }
    shown = {"benchmark": "jpeg_quality", "split": given.split, "stored_size": recipe.stored_size, "qualities": found}
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
