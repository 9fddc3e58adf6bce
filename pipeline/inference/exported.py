"""A network in the ONNX file that `export` wrote: what the file says of itself, and an engine that runs it."""

from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path

from jaxtyping import Float
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
from torch import Tensor

from dsn import skeleton as skeletons
from dsn.config import ModelConfig, from_dict
from dsn.skeleton import Skeleton
from pipeline.artifacts import read_json, sha256
from pipeline.export.formats import OnnxFile, Run, read_onnx
from pipeline.export.job import report_beside
from pipeline.refusal import Refusal

INPUTS = (("keyframe",), ("keyframe", "supporting"))
"""Of a network of one frame, and of one that reads supporting frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file of `export`, opened."""

    run: Run
    """Takes normalised crops of keyframes, and of their supporting frames where the network reads any."""
    offsets: tuple[int, ...]
    """Of the supporting frames; none for a network of one frame."""
    config: ModelConfig
    """Of the network that was exported."""
    skeleton: Skeleton
    """Whose joints its channels are."""
    weights: str
    """SHA-256 of the weights that it was made of."""
    digest: str
    """SHA-256 of the file."""


def open_exported(path: Path) -> Exported:
    """Open a file that `export --format onnx` wrote.

    Raises:
        Refusal: there is none, it is another program's, or it is not the one that the report beside it tells of.
    """
    if not path.is_file():
        raise Refusal(f"--onnx: got {path}, which is no file; wanted one that `export --format onnx` wrote")
    digest = sha256(path)
    _refuse_changed(path, digest)
    try:
        file = read_onnx(path)
    except (Fail, InvalidGraph, InvalidProtobuf, JSONDecodeError) as error:
        why = type(error).__name__
        raise Refusal(
            f"{path}: got a file that cannot be read ({why}), wanted one of `export --format onnx`"
        ) from error
    if file.inputs not in INPUTS or not {"model.json", "skeleton.json", "weights"} <= set(file.facts):
        raise Refusal(
            f"{path}: got inputs {[*file.inputs]} and metadata {sorted(file.facts)}, wanted those of a file that this "
            "version's `export --format onnx` wrote; write it anew"
        )
    return _opened(file, path, digest=digest)


def _opened(file: OnnxFile, path: Path, *, digest: str) -> Exported:
    try:
        config = from_dict(file.facts["model.json"], ModelConfig)
        skeleton = skeletons.from_dict(file.facts["skeleton.json"])
    except (KeyError, ValueError) as error:
        raise Refusal(f"{path}: got metadata of another version of this project ({error}); write it anew") from error
    return Exported(
        run=file.run,
        offsets=config.clip.offsets if "supporting" in file.inputs else (),
        config=config,
        skeleton=skeleton,
        weights=file.facts["weights"],
        digest=digest,
    )


def _refuse_changed(path: Path, digest: str) -> None:
    """Refuse a file that is not the one that was compared; without its report nobody can tell."""
    report = report_beside(path)
    if report.is_file() and (wanted := read_json(report).get("sha256", "none")) != digest:
        raise Refusal(
            f"{path}: got SHA-256 {digest[:12]}, wanted {wanted[:12]} as {report.name} says: "
            "the file is not the one that was exported; write it anew by `export`"
        )


class FileEngine:
    """Runs whole windows, for a file cannot be entered in its middle: what it keeps of a crop are its pixels."""

    def __init__(self, exported: Exported) -> None:
        self._run = exported.run
        self.offsets = exported.offsets

    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """The crops themselves."""
        return pixels

    def answer(
        self, shown: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S 3 H W"]
    ) -> Float[Tensor, "B K h w"]:
        """The final heatmaps of whole windows."""
        return self._run(shown, supporting) if self.offsets else self._run(shown)
