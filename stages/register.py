"""Stage register: make the trained model a version of the registry."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json, write_json
from pipeline.entry import run_stage
from pipeline.release.card import CardConfig, card, send
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register

PARAMS = Path("params.yaml")


def main(model: Path, run: Path, out: Path) -> None:
    """Register the run's model once, under the alias `candidate`, with its card as it is now."""
    config = params.load(PARAMS, "tracking", into=TrackingConfig)
    trained = read_json(run)
    text = card(
        params.load(PARAMS, "card", into=CardConfig),
        name=config.model,
        trained=trained,
        network=read_json(model / "model.json")["model"],
        joints=len(read_json(model / "skeleton.json")["joints"]),
    )
    run_id, tags = trained["run_id"], trained["tags"]
    version = register(config, model, run_id=run_id, tags=tags, card=text, alias="candidate")
    send(config, version, text)
    write_json(out, {"name": version.name, "version": version.version, "run_id": version.run_id, "tags": version.tags})


if __name__ == "__main__":
    run_stage(main)
