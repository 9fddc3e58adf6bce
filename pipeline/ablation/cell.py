"""One cell of the ablation: a preset and a seed, trained, stressed and measured."""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsn.checkpoint import load
from pipeline import params
from pipeline.artifacts import read_json, sha256, write_json
from pipeline.evaluation.efficiency import efficiency
from pipeline.evaluation.stress import Data, refuse_sighted, stress
from pipeline.evaluation.stress_config import StressConfig
from pipeline.evaluation.verdict import SEVERE
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.runs import family_run, resume_run
from pipeline.training.job import Kind, from_params
from pipeline.training.tracked import train_tracked

CONTROL = "single_frame"
"""The cell that all others of its seed are compared with: the pretrained network, trained on as long as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellData:
    """What every cell reads."""

    params: Path
    """The params file that presets and scale are laid over."""
    presets: Path
    scale: Path
    """The params file of the ablation."""
    shards: Path
    start: Path
    """The pretrained single-frame network."""
    pretrained: Path
    """The record of its run."""


def train_cell(data: CellData, *, preset: str, seed: int, out: Path) -> None:
    """Train a cell and write its params.yaml, model/, run.json, history.csv and cell.json into `out`.

    The run is nested in the ablation's. The preset `single_frame` trains the single-frame network itself.

    Raises:
        Refusal: the stress test would refuse the network.
    """
    began = time.monotonic()
    file = write_params(data, preset=preset, seed=seed, out=out / "params.yaml")
    tracking = params.load(file, "tracking", into=TrackingConfig)
    kind: Kind = "single_frame" if preset == CONTROL else "dual"
    job = from_params(file, kind=kind, section="train", shards=data.shards, start=data.start)
    if kind == "dual":
        refuse_sighted(job.model)  # before it is trained, not after
    train_tracked(job, out, tracking, name=f"{preset}-{seed}", parent=parent_run(data, tracking))
    cell = {
        "preset": preset,
        "seed": seed,
        "steps": job.train.steps,
        "batch_size": job.train.batch_size,
        "learning_rate": job.train.learning_rate,
        "is_backbone_frozen": job.train.backbone_rate == 0,
        "seconds": round(time.monotonic() - began, 1),
        "pretraining_samples": read_json(data.pretrained)["samples"],
        "efficiency": efficiency(load(out / "model")),
    }
    write_json(out / "cell.json", cell)


def stress_cell(data: CellData, *, control: Path, index: Path, root: Path, out: Path) -> None:
    """Put a trained cell to the test against the control of its seed; write stress/ into `out`, and tell its run."""
    file = out / "params.yaml"
    config = params.load(file, "stress", into=StressConfig)
    where = Data(index=index, root=root, val=data.shards / "val")
    stress(config, load(out / "model"), load(control / "model"), data=where, out=out / "stress")
    run = resume_run(params.load(file, "tracking", into=TrackingConfig), read_json(out / "run.json")["run_id"])
    if run is not None:
        found = scores(read_json(out / "stress" / "metrics.json"), "final")
        known = {f"stress/{name}": value for name, value in found.items() if value is not None}
        run.log_metrics(known, step=read_json(out / "cell.json")["steps"])
        run.log_file(out / "stress" / "metrics.json", folder="stress")
        run.finish()


def write_params(data: CellData, *, preset: str, seed: int, out: Path) -> Path:
    """The params file of one cell: the project's, under the preset, under the ablation's scale, under the seed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data.params, out)
    params.use_preset(out, data.presets, preset)
    params.lay(out, _scale(data.scale), {"train": {"seed": seed}})
    return out


def parent_run(data: CellData, tracking: TrackingConfig) -> str:
    """The id of the run that all cells of the same start, data and scale are nested in."""
    known = [sha256(data.start / "network.safetensors"), read_json(data.pretrained)["tags"], _scale(data.scale)]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return family_run(tracking, "ablation", tags={"ablation": digest[:16]})


def scores(stressed: Mapping[str, Any], method: str) -> dict[str, float | None]:
    """A method's AP clean, by kind and over all kinds, each over its severe severities; None where there is no AP.

    Args:
        stressed: metrics.json of the stress test.
        method: one of those in it.
    """
    by_kind = stressed["methods"][method]
    severe = {
        kind: [value for name, value in found.items() if name.startswith("s") and int(name[1:]) >= SEVERE]
        for kind, found in by_kind.items()
    }
    means = {kind: _mean(found) for kind, found in severe.items()}
    return {"clean": next(iter(by_kind.values()))["clean"], "degraded": _mean([*means.values()]), **means}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) and known else None


def _scale(path: Path) -> dict[str, dict[str, Any]]:
    return params.load(path, "ablate.params", into=dict)
