"""A network as one file that gets its name only when its answers were compared with PyTorch's."""

import importlib.metadata
import math
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dsn import skeleton as skeletons
from dsn.checkpoint import Loaded
from dsn.pixels import MEAN, STD
from pipeline.artifacts import sha256
from pipeline.export.clips import Clips
from pipeline.export.config import ExportConfig
from pipeline.export.formats import FORMATS, Format
from pipeline.export.graphs import Graph, traced, whole
from pipeline.export.parity import Parity, compare
from pipeline.refusal import Refusal

PACKAGES = ("torch", "onnxscript", "onnxruntime")


def refuse_place(out: Path, kind: Format) -> None:
    """Refuse a file name that says another format, and one that is taken."""
    suffix = FORMATS[kind].suffix
    if out.suffix != suffix:
        raise Refusal(f"--out: got {out}, wanted a name that ends in {suffix} for --format {kind}")
    if out.exists():
        raise Refusal(f"{out}: got a file that exists, wanted a new one; choose another --out")


def export(
    loaded: Loaded, out: Path, config: ExportConfig, *, kind: Format, clips: Clips, weights: str
) -> dict[str, Any]:
    """Write what gives the network's final heatmaps as one file; gives a report.

    The file gets its name only when it was compared.

    Args:
        loaded: the network.
        out: the new file.
        config: how far its answers may be from PyTorch's.
        kind: its format.
        clips: what both are shown.
        weights: SHA-256 of the network's, by which the file tells whose it is.

    Raises:
        Refusal: `out` has another ending or exists, the network cannot be traced, or the answers are farther apart than
            the config allows.
    """
    refuse_place(out, kind)
    graph, writing = whole(loaded), FORMATS[kind]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        file = Path(folder, out.name)
        writing.write(traced(graph, name=str(out)), file, _facts(loaded, weights))
        parity = compare(writing.open(file), loaded, clips)
        refuse_far(parity, config, name=str(out), left="no file was left")
        report = _report(loaded, graph, parity, kind=kind) | _facts(loaded, weights)
        report |= {"sha256": sha256(file), "bytes": file.stat().st_size}
        file.replace(out)
    return report


def refuse_far(parity: Parity, config: ExportConfig, *, name: str, left: str) -> None:
    """Refuse answers that are too far from PyTorch's, or no numbers.

    Args:
        parity: how far they are.
        config: how far they may be.
        name: whose answers, for the message.
        left: what is left to the user, for its end.
    """
    limits = {
        "heatmaps": (parity.heatmaps.max, config.max_heatmap_difference, "export.max_heatmap_difference"),
        "keypoints": (parity.keypoints_px.max, config.max_keypoint_distance, "export.max_keypoint_distance"),
    }
    for what, (got, most, key) in limits.items():
        if not math.isfinite(got) or got > most:
            raise Refusal(
                f"{name}: got {what} up to {got:.3g} away from PyTorch's on {parity.clips} clips, wanted at most "
                f"{most:g} ({key}); {left}"
            )


def _facts(loaded: Loaded, weights: str) -> dict[str, object]:
    """What travels in the file: all that its inputs and heatmaps mean, and whose they are."""
    return {
        "model.json": asdict(loaded.config),
        "skeleton.json": skeletons.to_dict(loaded.skeleton),
        "pixels.json": {"order": "RGB", "mean": MEAN, "std": STD},
        "weights": weights,
    }


def _report(loaded: Loaded, graph: Graph, parity: Parity, *, kind: Format) -> dict[str, Any]:
    joints = len(loaded.skeleton.joints)
    size = loaded.config.heatmap_size
    return {
        "format": kind,
        "inputs": {name: ["batch", *value.shape[1:]] for name, value in graph.inputs.items()},
        "outputs": {graph.output: ["batch", joints, *size]},
        "parity": asdict(parity),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
