"""Stage prepare: read a PoseTrack dataset, check it, split it, and write its index."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json
from pipeline.checks.page import write_page
from pipeline.entry import run_stage
from pipeline.posetrack.index import DataConfig, PrepareConfig, prepare, read_index

PARAMS = Path("params.yaml")


def main(root: Path, out: Path, page: Path) -> None:
    """Index the dataset as params.yaml says, and show what is wrong with it."""
    config = params.load(PARAMS, "prepare", into=PrepareConfig)
    prepare(root, out, config, boxes=params.load(PARAMS, "data", into=DataConfig).boxes)
    write_page(page, read_json(out / "checks.json"), root, skeleton=read_index(out).skeleton)


if __name__ == "__main__":
    run_stage(main)
