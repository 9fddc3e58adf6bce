"""Stage tune: search the training parameters."""

from pathlib import Path

from pipeline import params
from pipeline.entry import run_stage
from pipeline.search.config import TuneConfig, first_values
from pipeline.search.tracked import tune
from pipeline.tracking.config import TrackingConfig
from pipeline.training.job import from_params

PARAMS = Path("params.yaml")


def main(shards: Path | str, start: Path, out: Path) -> None:
    """Search the space that params.yaml declares; zero trials choose nothing."""
    config = params.load(PARAMS, "tune", into=TuneConfig)
    chosen = first_values(config)
    job = from_params(PARAMS, kind="dual", section="train", shards=shards, start=start, chosen=chosen)
    tune(config, job, out, params.load(PARAMS, "tracking", into=TrackingConfig))


if __name__ == "__main__":
    run_stage(main)
