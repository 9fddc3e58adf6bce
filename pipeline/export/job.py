"""What the verb `export` does: a model by its address and clips to compare on in, a file and its report out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsn.checkpoint import Loaded
from pipeline import params
from pipeline.artifacts import write_json
from pipeline.drawn.config import DrawConfig
from pipeline.export.clips import Clips, clips_of_shards, drawn_clips
from pipeline.export.config import ExportConfig
from pipeline.export.export import export, refuse_place
from pipeline.export.formats import Format
from pipeline.shards.reader import ReaderConfig
from pipeline.shards.store import located
from pipeline.tracking.models import load_for_user


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """What the user asked for."""

    model: str
    """Its address, see `pipeline.tracking.address`."""
    out: Path
    """The new file."""
    kind: Format
    shards: str | None
    """A split whose clips are compared on; None for drawn ones."""


def export_model(order: ExportOrder, *, params_file: Path) -> dict[str, Any]:
    """Write the file, and beside it the report that is also given.

    Raises:
        Refusal: the model, the shards or the params cannot be read, or the file is refused (see `export`).
    """
    refuse_place(order.out, order.kind)
    config = params.load(params_file, "export", into=ExportConfig)
    loaded, digest = load_for_user(order.model, params_file)
    clips = _clips(order, loaded, config, params_file=params_file)
    asked = {"model": order.model, "format": order.kind, "shards": order.shards, "export": asdict(config)}
    report = export(loaded, order.out, config, kind=order.kind, clips=clips, weights=digest) | {"config": asked}
    write_json(report_beside(order.out), report)
    return report


def report_beside(out: Path) -> Path:
    """Where the report of an exported file lies."""
    return out.with_name(f"{out.name}.json")


def _clips(order: ExportOrder, loaded: Loaded, config: ExportConfig, *, params_file: Path) -> Clips:
    if order.shards is None:
        drawing = params.load(params_file, "draw", into=DrawConfig)
        return drawn_clips(loaded.config, number=config.clips, seed=config.seed, config=drawing)
    store = params.load(params_file, "reader", into=ReaderConfig).store
    return clips_of_shards(located(order.shards, store), loaded.config, number=config.clips)


def shown(report: Mapping[str, Any], out: Path) -> str:
    """One line."""
    parity = report["parity"]
    return (
        f"{out}: {report['bytes'] / 2**20:.1f} MiB; on {parity['clips']} clips heatmaps differ by at most "
        f"{parity['heatmaps']['max']:.2g}, keypoints by {parity['keypoints_px']['max']:.2g} px"
    )
