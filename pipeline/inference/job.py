"""What the verb `predict` does: footage in, files out, and a record of what became of every frame."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Literal

from dsn.streaming import look_ahead
from pipeline.artifacts import write_json
from pipeline.device import usable
from pipeline.inference.boxes import Entry, boxes_of, read_entries
from pipeline.inference.detector import Kind, TorchvisionDetector
from pipeline.inference.engine import EngineName
from pipeline.inference.exported import FileEngine
from pipeline.inference.footage import Footage, find_footage
from pipeline.inference.interruption import interruptible
from pipeline.inference.network import Running, open_network
from pipeline.inference.outputs import outputs
from pipeline.inference.pace import Pace, latencies
from pipeline.inference.people import Posed
from pipeline.inference.predict import Finder, from_detector, from_file, predict
from pipeline.inference.reading import Reader
from pipeline.inference.smoothing import Smoothing, smoothed
from pipeline.refusal import Refusal

RECORD = "run.json"
BATCH = 32
"""Crops that go through the network at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """What the user asked for; written beside the outputs."""

    model: str | None
    """Its address, see `pipeline.tracking.address`; None where a file is enough."""
    onnx: Path | None
    """A file that `export` wrote, to run in the model's place."""
    boxes: Path | Literal["detect"]
    """A file, or `detect`."""
    detector: Kind
    """One of torchvision's."""
    detector_weights: Path | None
    """Its weights, for `detect`."""
    min_score: float
    """Boxes below this score are left out."""
    smoothing: Smoothing
    """How keypoints are smoothed over time."""
    is_online: bool
    """Whether each frame is handed on before the next one is read."""
    with_overlay: bool
    """Whether a video is written that shows the poses."""
    fps: float
    """Frames a second of images, which do not say."""
    device: str
    """Where torch computes."""
    engine: EngineName
    """What runs the network."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done together."""
        if self.is_online and self.smoothing == "savgol":
            raise Refusal("--online: got --smooth savgol, which looks ahead; wanted one-euro or none")
        if self.boxes == "detect" and self.detector_weights is None:
            raise Refusal("--boxes detect: got no --detector-weights, wanted a file that torchvision published")
        if self.engine == "onnx" and self.device != "cpu":
            raise Refusal(f"--engine onnx: got --device {self.device}, wanted cpu; or --engine torch")
        usable(self.device, key="--device")
        if self.onnx is not None and self.engine != "onnx":
            raise Refusal(f"--onnx: got --engine {self.engine}, wanted onnx; or no file")
        if not self.fps > 0:
            raise Refusal(f"--fps: got {self.fps}, wanted more than 0")


def predict_all(sources: Sequence[str], out: Path, config: PredictConfig, *, params_file: Path) -> dict[str, Any]:
    """Predict every video that `sources` name, and write all about it below the new or empty folder `out`.

    Gives the record that is also written there. After Ctrl-C the files hold the frames until then, and the record says
    so. A video that turns out not to be readable ends alone: its files hold the frames until then, and the record has
    the reason under `refused`.

    Raises:
        Refusal: a source, the model or the boxes cannot be opened or do not fit each other, an exported network answers
            otherwise than PyTorch's, or `out` is in use.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refusal(f"{out}: got a folder with files in it, wanted a new or an empty one; choose another --out")
    found = find_footage(sources, fps=config.fps)
    entries = read_entries(config.boxes) if isinstance(config.boxes, Path) else []
    network = open_network(
        config.model, config.onnx, engine=config.engine, device=config.device, params_file=params_file
    )
    _refuse_late(config, network)
    work = _Work(config=config, network=network, out=out)
    finders = _finders(config, found, entries)
    record: dict[str, Any] = {"config": _plain(config), **network.facts, "videos": {}}
    with interruptible() as is_wished:
        for footage, (finder, counts) in zip(found, finders, strict=True):
            if not is_wished():
                told = _attempted(work, footage, finder, is_wished=is_wished)
                record["videos"][footage.name] = {**told, "boxes": counts}
        record["is_interrupted"] = is_wished()
    write_json(out / RECORD, record)
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What serves every video."""

    config: PredictConfig
    network: Running
    out: Path


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What became of a video's frames."""

    frames: int = 0
    poses: int = 0
    with_nobody: int = 0
    unreadable: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, posed: Posed) -> None:
        self.frames += 1
        self.poses += len(posed.poses)
        self.with_nobody += not posed.poses
        if not posed.frame.is_readable:
            self.unreadable.append(posed.frame.position)
        self.milliseconds.append(1000 * (perf_counter() - posed.frame.arrived))


def _attempted(work: _Work, footage: Footage, finder: Finder, *, is_wished: Callable[[], bool]) -> dict[str, Any]:
    """As `_predict`; of a video that cannot be read, why."""
    try:
        return _predict(work, footage, finder, is_wished=is_wished)
    except Refusal as refusal:
        return {"refused": str(refusal)}


def _predict(work: _Work, footage: Footage, finder: Finder, *, is_wished: Callable[[], bool]) -> dict[str, Any]:
    """Write one video's files; gives what became of its frames."""
    config, network, size = work.config, work.network, work.network.config.input_size
    reader = Reader(network.engine, network.config, batch=BATCH)
    batch = 1 if config.is_online else BATCH
    posed = predict(footage.frames(), finder, reader, size=size, batch=batch, is_wished=is_wished)
    tally, pace, begin = _Tally(), Pace(footage.name, total=footage.count), monotonic()
    with outputs(work.out, footage, skeleton=network.skeleton, with_overlay=config.with_overlay) as write:
        for one in smoothed(posed, way=config.smoothing):
            tally.add(one)
            write(one)
            pace.tick()
    pace.end()
    return {
        "announced": footage.count,
        "frames": tally.frames,
        "unreadable": tally.unreadable,
        "frames_with_nobody": tally.with_nobody,
        "poses": tally.poses,
        "backbone_passes": _passes(reader, network),
        "seconds": round(monotonic() - begin, 2),
        "latency": latencies(tally.milliseconds) if config.is_online else None,
    }


def _passes(reader: Reader, network: Running) -> int:
    """How often a crop went through the backbone: in a file, all of a window's for every pose."""
    return reader.read_count * (1 + len(reader.offsets)) if isinstance(network.engine, FileEngine) else reader.encoded


def _refuse_late(config: PredictConfig, network: Running) -> None:
    """Refuse to run a network online that waits for frames to come."""
    offsets = network.engine.offsets
    late = look_ahead((0, *offsets))
    if config.is_online and late:
        raise Refusal(
            f"{network.name}: --online: got model.clip.offsets {list(offsets)}, "
            f"whose poses come {late} frames late; wanted a causal model, trained with offsets such as [-3, -2, -1]"
        )


def _finders(
    config: PredictConfig, found: Sequence[Footage], entries: Sequence[Entry]
) -> list[tuple[Finder, dict[str, int]]]:
    """For each footage who says where people are, and how many boxes are used or left out; a detector's come later."""
    if isinstance(config.boxes, Path):
        is_only, least = len(found) == 1, config.min_score
        boxes = [boxes_of(one, entries, min_score=least, path=config.boxes, is_only=is_only) for one in found]
        return [(from_file(one), one.counts) for one in boxes]
    assert config.detector_weights is not None
    detector = TorchvisionDetector(config.detector_weights, kind=config.detector, device=config.device)
    counts: list[dict[str, int]] = [{} for _ in found]
    return [(from_detector(detector, min_score=config.min_score, counts=own), own) for own in counts]


def shown(record: Mapping[str, Any], out: Path, *, as_json: bool) -> str:
    """The record as JSON, or a line a video."""
    if as_json:
        return json.dumps(record, indent=2, sort_keys=True)
    return "\n".join(_line(name, told, out) for name, told in record["videos"].items())


def refused(record: Mapping[str, Any]) -> list[str]:
    """The videos that could not be read to their end."""
    return [name for name, told in record["videos"].items() if "refused" in told]


def _line(name: str, told: Mapping[str, Any], out: Path) -> str:
    if "refused" in told:
        return f"{out / name}.*: refused: {told['refused']}"
    parts = [f"{told['poses']} poses in {told['frames']} frames", f"{told['frames_with_nobody']} with nobody"]
    missing = max(0, told["announced"] - told["frames"])
    parts += [f"{len(told['unreadable'])} that cannot be decoded"] if told["unreadable"] else []
    parts += [f"{missing} fewer frames than announced"] if missing else []
    parts += [f"{count} boxes {why}" for why, count in sorted(told["boxes"].items()) if count and why != "used"]
    if told["latency"]:
        parts.append(f"latency {told['latency']['median_ms']} ms, p95 {told['latency']['p95_ms']} ms")
    return f"{out / name}.*: {', '.join(parts)}"


def _plain(config: PredictConfig) -> dict[str, Any]:
    """As JSON has it."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()}
