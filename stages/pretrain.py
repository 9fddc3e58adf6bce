"""Stage pretrain: train the single-frame network that the next stages start from."""

from pathlib import Path

from dsn.config import ModelConfig
from pipeline import params
from pipeline.entry import run_stage
from pipeline.tracking.config import TrackingConfig
from pipeline.training.job import from_params
from pipeline.training.start import WeightsConfig, start_folder
from pipeline.training.tracked import train_tracked

PARAMS = Path("params.yaml")


def main(shards: Path | str, out: Path) -> None:
    """Train on keyframes alone, from random weights or from those that were imported."""
    model = params.load(PARAMS, "model", into=ModelConfig)
    start = start_folder(params.load(PARAMS, "weights", into=WeightsConfig), model=model)
    job = from_params(PARAMS, kind="single_frame", section="pretrain", shards=shards, start=start)
    train_tracked(job, out, params.load(PARAMS, "tracking", into=TrackingConfig), name="pretrain")


if __name__ == "__main__":
    run_stage(main)
