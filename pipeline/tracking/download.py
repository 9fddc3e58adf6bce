"""What MLflow's own loader fetched, checked before a network is made of it."""

from pathlib import Path
from time import sleep
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.models_artifact_repo import REGISTERED_MODEL_META_FILE_NAME
from mlflow.tracking import MlflowClient

from pipeline import params
from pipeline.refusal import Refusal
from pipeline.tracking.contents import DIGESTS, registered_network, verify
from pipeline.tracking.outbox import one_line

PAUSE_SECONDS = 0.02
PAUSES = 100


def verify_fetched(folder: Path) -> None:
    """`verify` the network's folder among files that MLflow fetched by a `models:` URI.

    MLflow notes beside them which version they are; the tags are asked of the registry that it is set to. Files that
    came from elsewhere belong to no version, and nothing says what they should be.

    Raises:
        Refusal: the files are not those that were registered, or the registry in force does not tell.
    """
    note = folder.parents[1] / REGISTERED_MODEL_META_FILE_NAME
    if not note.is_file():
        return
    told = _told(note)
    name, version = str(told["model_name"]), str(told["model_version"])
    tags = _tags(name, version, note=note)
    if DIGESTS not in tags:
        raise Refusal(f"{name} version {version} has no tag {DIGESTS}: it was not registered by `dvc repro register`")
    verify(folder, registered_network(tags), what=f"by the registry in force, {name} version {version}")


def _tags(name: str, version: str, *, note: Path) -> dict[str, str]:
    try:
        return dict(MlflowClient().get_model_version(name, version).tags)
    except MlflowException as error:
        raise Refusal(
            f"{note}: got {name} version {version}, of which the registry in force does not tell ({one_line(error)}); "
            "name its registry by MLFLOW_TRACKING_URI, or delete this note to load the files unverified"
        ) from error


def _told(note: Path) -> dict[str, Any]:
    """What MLflow noted: `model_name` and `model_version`.

    It writes the note anew at every load, and where it reads a local store in place, all processes share one: while
    another one is at it, the note is empty.
    """
    for _ in range(PAUSES):
        if note.stat().st_size:
            return params.read(note)
        sleep(PAUSE_SECONDS)
    raise Refusal(f"{note}: got an empty file, wanted the version that MLflow notes while it loads one; load it again")
