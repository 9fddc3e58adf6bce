"""Stage prepare: read a PoseTrack dataset, check it, split it, and write its index."""

from pathlib import Path

from pipeline import params
from pipeline.entry import run_stage
from pipeline.posetrack.index import PrepareConfig, prepare


def main(root: Path, out: Path) -> None:
    """Index the dataset as params.yaml says."""
    config = params.load(Path("params.yaml"), "prepare", into=PrepareConfig)
    prepare(root, out, config)


if __name__ == "__main__":
    run_stage(main)
