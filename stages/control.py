"""Stage control: train the single-frame network on, exactly as the clip network is trained."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json
from pipeline.entry import run_stage
from pipeline.tracking.config import TrackingConfig
from pipeline.training.job import from_params
from pipeline.training.tracked import train_tracked

PARAMS = Path("params.yaml")


def main(shards: Path | str, start: Path, best: Path, out: Path) -> None:
    """Train on keyframes alone, from the start, by the recipe and for the samples of stage train."""
    chosen = read_json(best)["chosen"]
    job = from_params(PARAMS, kind="single_frame", section="train", shards=shards, start=start, chosen=chosen)
    train_tracked(job, out, params.load(PARAMS, "tracking", into=TrackingConfig), name="control")


if __name__ == "__main__":
    run_stage(main)
