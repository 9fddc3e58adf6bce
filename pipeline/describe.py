"""What the networks of params.yaml cost, as the verb `describe` prints it."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from dsn.config import ModelConfig
from dsn.cost import Cost, PartCost, dual_cost, single_frame_cost
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.refusal import Refusal
from pipeline.settings import in_force

TITLES = {"dual": "dual-stream network", "single_frame": "single-frame network"}
COLUMNS = ("part", "parameters", "trained", "GMACs/clip", "GMACs/frame", "kept MiB", "tokens")


def described(path: Path, presets: Path, *, names: Sequence[str], settings: Sequence[str]) -> dict[str, Cost]:
    """Costs of the dual-stream network and of the single-frame one, with PoseTrack's joints.

    Args:
        path: the params file, which stays as it is.
        presets: the folder of presets.
        names: presets that are laid over it first, in this order.
        settings: laid over both, see `pipeline.settings`.

    Raises:
        Refusal: a preset is not known, or the `model` section cannot be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copyfile(path, Path(folder, path.name)))
        for name in names:
            params.use_preset(copy, presets, name)
        with in_force(copy, settings) as file:
            model = params.load(file, "model", into=ModelConfig)
            is_frozen = params.load(file, "train.backbone_rate", into=float) == 0
    try:
        return {
            "dual": dual_cost(model, POSETRACK, is_frozen=is_frozen),
            "single_frame": single_frame_cost(model, POSETRACK, is_frozen=is_frozen),
        }
    except ValueError as error:
        raise Refusal(f"{path}: model: {error}") from None


def shown(costs: Mapping[str, Cost], *, as_json: bool) -> str:
    """The costs as text: a table for each network, or JSON with every number."""
    if as_json:
        return json.dumps({name: _plain(cost) for name, cost in costs.items()}, indent=2)
    tables = [f"{TITLES[name]}, {_frames(cost)}\n{_table(cost)}" for name, cost in costs.items()]
    return "\n\n".join([*tables, LEGEND])


LEGEND = """GMACs/frame: in a running video with a steady crop: one backbone pass, and the final readout alone.
kept MiB: what training keeps of one clip for the backward pass, in single precision.
tokens: out of the backbone, or the most that one attention takes as queries."""


def _frames(cost: Cost) -> str:
    return "one frame" if cost.frames == 1 else f"clips of {cost.frames} frames"


def _plain(cost: Cost) -> dict[str, object]:
    return {**asdict(cost), "total": asdict(cost.total)}


def _table(cost: Cost) -> str:
    rows = [COLUMNS, *(_row(name, part) for name, part in cost.parts.items()), _row("total", cost.total)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(line))
        for line in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _row(name: str, part: PartCost) -> tuple[str, ...]:
    return (
        name,
        _millions(part.parameters),
        _millions(part.trainable),
        f"{part.macs / 1e9:.3f}",
        f"{part.macs_per_frame / 1e9:.3f}",
        f"{part.activations / 2**20:.1f}",
        str(part.tokens or "-"),
    )


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"
