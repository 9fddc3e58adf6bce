"""Stage train: train the dual-stream network on clips."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json
from pipeline.entry import run_stage
from pipeline.tracking.config import TrackingConfig
from pipeline.training.job import from_params
from pipeline.training.tracked import train_tracked

PARAMS = Path("params.yaml")


def main(shards: Path | str, start: Path, best: Path, out: Path) -> None:
    """Train from the pretrained single-frame network, with the parameters that the search chose."""
    chosen = read_json(best)["chosen"]
    job = from_params(PARAMS, kind="dual", section="train", shards=shards, start=start, chosen=chosen)
    train_tracked(job, out, params.load(PARAMS, "tracking", into=TrackingConfig), name="train")


if __name__ == "__main__":
    run_stage(main)
