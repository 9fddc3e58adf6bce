"""Registration: a trained run becomes one version, whole or not at all, however often it was cut off."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.artifacts import sha256
from pipeline.refusal import Refusal
from pipeline.tracking.address import WEIGHTS_DIGEST
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.contents import DIGESTS, digests
from pipeline.tracking.locks import alone
from pipeline.tracking.outbox import one_line
from pipeline.tracking.package import write_package
from pipeline.tracking.registry import FOLDER, Version, has_model, plain
from pipeline.tracking.server import connect, experiment_id, local_artifacts

TRAINED_BY = "trained.run"
"""The tag of a version, and of a run that stands in for another, that holds the id of the run that trained it."""


def register(
    config: TrackingConfig, model: Path, *, run_id: str, tags: Mapping[str, str], card: str, alias: str
) -> Version:
    """Register the model that a run trained, once, and point `alias` at its version.

    The files are stored first, then the version is made with all its tags in one request, then the alias moves: what is
    cut off before the version leaves none, and the next call does all of it again. A version of the run without its
    digests is such a half one from elsewhere, and is removed.

    Two hosts that register one run at once store the same bytes, for a package has its name and time from the run.

    Args:
        config: where the registry is.
        model: the folder that training left.
        run_id: the run that trained it. Where the server does not know it, as after `dvc pull` into a new clone, the
            files are kept by a new run that names it.
        tags: the lineage.
        card: what is told about the model, shown as the version's description.
        alias: what points at the version in the end.

    Raises:
        Refusal: training left something out, or the files cannot be stored.
    """
    client = connect(config)
    with alone(config):
        _ensure_model(client, config.model)
        version = _complete(client, config.model, run_id) or _add(client, config, model, run_id, tags=tags, card=card)
        client.set_registered_model_alias(config.model, alias, version.version)
    return plain(client.get_model_version(config.model, version.version))


def _ensure_model(client: MlflowClient, name: str) -> None:
    if has_model(client, name):
        return
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another host was faster
            raise


def _complete(client: MlflowClient, name: str, run_id: str) -> Version | None:
    """The run's version, of several hosts' ones the first; all others of the run are removed."""
    of_run = [
        version for version in map(plain, client.search_model_versions(f"name = '{name}'")) if _is_of(version, run_id)
    ]
    whole = sorted((version for version in of_run if DIGESTS in version.tags), key=lambda version: int(version.version))
    for version in of_run:
        if version not in whole[:1]:
            _remove(client, name, version.version)
    return whole[0] if whole else None


def _remove(client: MlflowClient, name: str, version: str) -> None:
    try:
        client.delete_model_version(name, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # another host was faster
            raise


def _is_of(version: Version, run_id: str) -> bool:
    return run_id in {version.run_id, version.tags.get(TRAINED_BY)}


def _add(
    client: MlflowClient, config: TrackingConfig, model: Path, run_id: str, *, tags: Mapping[str, str], card: str
) -> Version:
    keeper = _keeper(client, config, run_id, tags=tags)
    with TemporaryDirectory(prefix="dsn-pose-package-") as folder:
        package = Path(folder, FOLDER)
        _store(client, config, model, package=package, run_id=keeper)
        own = {
            TRAINED_BY: run_id,
            WEIGHTS_DIGEST: sha256(model / "network.safetensors"),
            DIGESTS: json.dumps(digests(package), sort_keys=True),
        }
    client.create_model_version(config.model, _place(client, keeper), keeper, tags={**tags, **own}, description=card)
    version = _complete(client, config.model, run_id)
    if version is None:
        raise Refusal(f"{config.model}: somebody else removed the version of run {run_id}; run `dvc repro register`")
    return version


def _keeper(client: MlflowClient, config: TrackingConfig, run_id: str, *, tags: Mapping[str, str]) -> str:
    """The run that keeps the files: the one that trained, or one that stands in for it."""
    try:
        return str(client.get_run(run_id).info.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    experiment = experiment_id(client, config.experiment, artifacts=local_artifacts(config.resolved_uri))
    standing = client.search_runs([experiment], f"tags.`{TRAINED_BY}` = '{run_id}'", max_results=1)
    if standing:
        return str(standing[0].info.run_id)
    made = client.create_run(experiment, run_name="registered", tags={**tags, TRAINED_BY: run_id})
    client.set_terminated(made.info.run_id, "FINISHED")
    return str(made.info.run_id)


def _place(client: MlflowClient, run_id: str) -> str:
    """Where MLflow's loader finds the stored files.

    What it finds by a run it copies at every load, raw weights and all, into a folder that it never removes. What lies
    in a folder of this host it reads where it is.
    """
    root = str(client.get_run(run_id).info.artifact_uri)
    return f"{root}/{FOLDER}" if root.startswith("file:") else f"runs:/{run_id}/{FOLDER}"


def _store(client: MlflowClient, config: TrackingConfig, model: Path, *, package: Path, run_id: str) -> None:
    try:
        begin = datetime.fromtimestamp(client.get_run(run_id).info.start_time / 1000, UTC)
        write_package(model, package, identity=run_id, created=begin)
        client.log_artifacts(run_id, str(package), FOLDER)
    except (MlflowException, OSError) as error:
        raise Refusal(
            f"{config.model}: its files could not be stored by {config.shown_uri} ({one_line(error)}), so no version "
            "was made; see that it runs, has room and may write there, and run `dvc repro register`"
        ) from error
