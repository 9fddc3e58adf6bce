"""Stage evaluate: score the registered model's readouts, by the official protocol where it knows the skeleton."""

from pathlib import Path

from pipeline import params
from pipeline.entry import run_stage
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.models import load_model

PARAMS = Path("params.yaml")


def main(registered: Path, index: Path, train: Path, val: Path, out: Path) -> None:
    """Load the version through the registry and score it on val, with ground-truth bboxes."""
    config = params.load(PARAMS, "evaluate", into=EvaluateConfig)
    tracking = params.load(PARAMS, "tracking", into=TrackingConfig)
    evaluate(config, load_model(registered, tracking), index=index, train=train, val=val, out=out)


if __name__ == "__main__":
    run_stage(main)
