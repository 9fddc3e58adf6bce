"""Stage pretrain: train the single-frame network that the next stages start from."""

from pathlib import Path

from pipeline import params
from pipeline.entry import run_stage
from pipeline.tracking.config import TrackingConfig
from pipeline.training.job import from_params
from pipeline.training.tracked import train_tracked

PARAMS = Path("params.yaml")


def main(shards: Path | str, out: Path) -> None:
    """Train on keyframes alone, from random weights."""
    job = from_params(PARAMS, kind="single_frame", section="pretrain", shards=shards)
    train_tracked(job, out, params.load(PARAMS, "tracking", into=TrackingConfig), name="pretrain")


if __name__ == "__main__":
    run_stage(main)
