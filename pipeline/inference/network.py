"""The network that a prediction runs: out of the registry or a folder, or out of a file that `export` wrote."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsn.checkpoint import Loaded
from dsn.config import ModelConfig
from dsn.skeleton import Skeleton
from pipeline import params
from pipeline.drawn.config import DrawConfig
from pipeline.export.clips import drawn_clips
from pipeline.export.config import ExportConfig
from pipeline.inference.engine import Engine, EngineName, build_engine, checked
from pipeline.inference.exported import Exported, FileEngine, open_exported
from pipeline.refusal import Refusal
from pipeline.tracking.models import load_for_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A network that is ready to run."""

    name: str
    """As the user said it."""
    engine: Engine
    config: ModelConfig
    skeleton: Skeleton
    facts: dict[str, Any]
    """For the record: the SHA-256 of the weights and of a file, and how far the engine is from PyTorch."""


def open_network(
    model: str | None, onnx: Path | None, *, engine: EngineName, device: str, params_file: Path
) -> Running:
    """Open the network that an address, a file or both name; both must name the same.

    An engine that is not PyTorch is compared with it on drawn clips wherever the model is named.

    Args:
        model: its address, see `pipeline.tracking.address`.
        onnx: a file that `export` wrote, which runs in place of the model.
        engine: what runs the model where there is no file.
        device: where torch computes.
        params_file: says where the registry is, and how far from PyTorch an engine may be.

    Raises:
        Refusal: neither is named, one cannot be read, both are not the same network, or its answers are too far.
    """
    exported = None if onnx is None else open_exported(onnx)
    if model is None:
        if exported is None:
            raise Refusal("--model: got none, wanted models:/NAME@ALIAS or a network's folder; or --onnx FILE")
        return _of_file(exported, str(onnx), parity=None)
    loaded, digest = load_for_user(model, params_file)
    if exported is not None:
        _refuse_other(exported, loaded, digest, names=(str(onnx), model))
        name, left = str(onnx), "export it anew"
        return _of_file(exported, name, parity=_parity(FileEngine(exported), loaded, params_file, name, left))
    built = build_engine(engine, loaded, device=device)
    name, left = "--engine onnx", "--engine torch runs the network itself"
    parity = _parity(built, loaded, params_file, name, left) if engine == "onnx" else None
    facts = {"sha256": digest, "onnx_sha256": None, "parity": parity}
    return Running(name=model, engine=built, config=loaded.config, skeleton=loaded.skeleton, facts=facts)


def _of_file(exported: Exported, name: str, *, parity: dict[str, Any] | None) -> Running:
    facts = {"sha256": exported.weights, "onnx_sha256": exported.digest, "parity": parity}
    engine = FileEngine(exported)
    return Running(name=name, engine=engine, config=exported.config, skeleton=exported.skeleton, facts=facts)


def _refuse_other(exported: Exported, loaded: Loaded, digest: str, *, names: tuple[str, str]) -> None:
    """Refuse a file and a model that are not the same network."""
    pairs = {
        "weights": (exported.weights[:12], digest[:12]),
        "skeleton": (exported.skeleton, loaded.skeleton),
        "model": (exported.config, loaded.config),
    }
    for what, (got, wanted) in pairs.items():
        if got != wanted:
            told = f" {got}, wanted {wanted}" if what == "weights" else " that differs from its"
            raise Refusal(
                f"{names[0]}: got a network other than {names[1]}: {what}{told}; export that one, or name one"
            )


def _parity(engine: Engine, loaded: Loaded, params_file: Path, name: str, left: str) -> dict[str, Any]:
    """How far an engine is from PyTorch on drawn clips, with the limits that it kept."""
    limits = params.load(params_file, "export", into=ExportConfig)
    drawing = params.load(params_file, "draw", into=DrawConfig)
    clips = drawn_clips(loaded.config, number=limits.clips, seed=limits.seed, config=drawing)
    return {**asdict(checked(engine, loaded, limits, clips=clips, name=name, left=left)), "export": asdict(limits)}
