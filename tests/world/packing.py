"""Packing in a process of its own, for the tests that kill it or start it on another host."""

from pathlib import Path

DRIVER = """
import sys
from pathlib import Path
from pipeline import params
from pipeline.artifacts import read_json
from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal
from pipeline.shards.recipe import Recipe
from pipeline.shards.writer import write_shards

folder = Path(sys.argv[1])
recipe = params.parse(read_json(folder / "recipe.json"), Recipe, name="recipe")
try:
    write_shards(read_index(folder / "index"), folder, folder / "shards", recipe)
except Refusal as refusal:
    sys.exit(str(refusal))
"""
"""Packs the dataset in a folder, whose `index` and `recipe.json` say how, into its `shards`."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
