"""Stage stress: degrade the keyframe and compare the streams with honest controls."""

from pathlib import Path

from dsn.checkpoint import load
from pipeline import params
from pipeline.artifacts import read_json
from pipeline.entry import run_stage
from pipeline.evaluation.stress import StressConfig, stress
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import fetched

PARAMS = Path("params.yaml")


def main(registered: Path, control: Path, index: Path, val: Path, out: Path) -> None:
    """Load the version through the registry and put it to the test, with bboxes from neighbouring frames."""
    config = params.load(PARAMS, "stress", into=StressConfig)
    tracking = params.load(PARAMS, "tracking", into=TrackingConfig)
    with fetched(tracking, version=read_json(registered)["version"]) as model:
        stress(config, load(model), load(control), index=index, val=val, out=out)


if __name__ == "__main__":
    run_stage(main)
