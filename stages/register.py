"""Stage register: make the trained model a version of the registry."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json, write_json
from pipeline.entry import run_stage
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import register


def main(model: Path, run: Path, out: Path) -> None:
    """Register the run's model once, under the alias `candidate`."""
    config = params.load(Path("params.yaml"), "tracking", into=TrackingConfig)
    trained = read_json(run)
    version = register(config, model, run_id=trained["run_id"], tags=trained["tags"], alias="candidate")
    write_json(out, {"name": version.name, "version": version.version, "run_id": version.run_id, "tags": version.tags})


if __name__ == "__main__":
    run_stage(main)
