"""What a version is made of: an MLflow model of safetensors and JSON, loaded by a module's name, not by a pickle."""

import shutil
import warnings
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from pipeline.artifacts import read_json, write_json
from pipeline.refusal import Refusal
from pipeline.shards.crop import PADDING
from pipeline.tracking.contents import DATA, RECORDED
from pipeline.tracking.lineage import RECORDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # MLflow warns of types of its own while it is imported
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import Schema, TensorSpec

LOADER = "pipeline.serving.pose"
"""The module of the wheel that makes a predictor of a network's folder."""
TRAINED = ("network.safetensors", "raw.safetensors", "model.json", "skeleton.json")
"""What training leaves: the averaged weights, those that the optimiser moved, and what builds the network again."""
REQUIRED = (
    *("jaxtyping", "mlflow", "numpy", "opencv-python", "pandas", "pydantic", "ruamel.yaml", "safetensors"),
    *("timm", "torch", "torchvision"),
)
"""Packages that loading needs beside this project's wheel, which is in no index."""


def write_package(model: Path, out: Path, *, identity: str, created: datetime) -> None:
    """Make of a trained model the folder that is registered, at `out`, which must not be there.

    What DVC knows of the outputs and the params lie in it too: behind training, dvc.lock holds what it wrote. The same
    arguments and the same records make the same bytes.

    Args:
        model: the folder that training left.
        out: the new folder.
        identity: what MLflow's identifier of the model is made of.
        created: its time, as MLmodel says it.

    Raises:
        Refusal: training left something out.
    """
    absent = [name for name in TRAINED if not (model / name).is_file()]
    if absent:
        raise Refusal(f"{model / absent[0]}: no such file, wanted what training leaves; run `dvc repro train`")
    described, skeleton = read_json(model / "model.json"), read_json(model / "skeleton.json")
    frames, joints = 1 + len(described["model"]["clip"]["offsets"]), len(skeleton["joints"])
    with TemporaryDirectory(prefix="dsn-pose-package-") as folder:
        network = Path(folder, Path(DATA).name)
        network.mkdir()
        for name in TRAINED:
            shutil.copyfile(model / name, network / name)
        write_json(network / "crop.json", _crop(described["model"]))
        save_model(
            str(out),
            loader_module=LOADER,
            data_path=str(network),
            signature=signature(frames=frames, joints=joints),
            input_example=example(frames=frames),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
            mlflow_model=Model(
                model_uuid=uuid5(NAMESPACE_OID, identity).hex, utc_time_created=str(created.replace(tzinfo=None))
            ),
        )
    (out / RECORDED).mkdir()
    for record in (path for path in map(Path, RECORDS) if path.is_file()):
        shutil.copyfile(record, out / RECORDED / record.name)


def _crop(model: dict[str, object]) -> dict[str, object]:
    """How a person is cut out of a frame; the heatmaps' codec stands in model.json."""
    return {"padding": PADDING, "size": model["input_size"], "colours": "RGB"}


def signature(*, frames: int, joints: int) -> ModelSignature:
    """One clip of whole frames and the bboxes of N people at its keyframe give N poses, in pixels of the frames."""
    return ModelSignature(
        inputs=Schema(
            [
                TensorSpec(np.dtype(np.uint8), (frames, -1, -1, 3), "frames"),
                TensorSpec(np.dtype(np.float32), (-1, 4), "boxes"),
            ]
        ),
        outputs=Schema(
            [
                TensorSpec(np.dtype(np.float32), (-1, joints, 2), "keypoints"),
                TensorSpec(np.dtype(np.float32), (-1, joints), "scores"),
            ]
        ),
    )


def example(*, frames: int) -> dict[str, np.ndarray]:
    """A small clip of noise with two people in it."""
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 12, 16, 3), dtype=np.uint8)
    return {"frames": pixels, "boxes": np.array([[1, 1, 7, 11], [8, 1, 14, 11]], dtype=np.float32)}
