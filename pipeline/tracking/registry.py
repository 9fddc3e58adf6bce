"""The model registry: versions of one model, and the aliases that say what each is for."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.models_artifact_repo import REGISTERED_MODEL_META_FILE_NAME
from mlflow.tracking import MlflowClient

from pipeline.refusal import Refusal
from pipeline.tracking.address import WEIGHTS_DIGEST, InRegistry
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.contents import DATA, DIGESTS, digests, registered_network, verify
from pipeline.tracking.outbox import one_line
from pipeline.tracking.server import connect

FOLDER = "package"
"""The folder of a run's files that holds the registered model."""
WEIGHTS = "network.safetensors"
"""The file of a network's folder that holds the averaged weights."""

AGAIN = (
    "run `dvc repro -s -f register` to register the trained model there, or name another registry by "
    "MLFLOW_TRACKING_URI or tracking.uri"
)
"""What to do about a registered.json that was written beside another registry: DVC takes it for up to date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One registered version, as later stages need it."""

    name: str
    version: str
    run_id: str
    tags: dict[str, str]


def find(config: TrackingConfig, *, alias: str) -> Version | None:
    """The version that an alias points at; None where there is none."""
    client = connect(config)
    try:
        return plain(client.get_model_version_by_alias(config.model, alias))
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def point(config: TrackingConfig, *, alias: str, version: str) -> None:
    """Move an alias to a version."""
    connect(config).set_registered_model_alias(config.model, alias, version)


def tag(config: TrackingConfig, *, version: str, tags: Mapping[str, str]) -> None:
    """Add tags to a version."""
    client = connect(config)
    for key, value in tags.items():
        client.set_model_version_tag(config.model, version, key, value)


def model_tags(config: TrackingConfig) -> dict[str, str]:
    """The tags of the model itself; none where it was never registered."""
    client = connect(config)
    return dict(client.get_registered_model(config.model).tags) if has_model(client, config.model) else {}


def tag_model(config: TrackingConfig, *, key: str, value: str | None) -> None:
    """Put a tag onto the model itself; None takes it away."""
    client = connect(config)
    if value is None:
        client.delete_registered_model_tag(config.model, key)
    else:
        client.set_registered_model_tag(config.model, key, value)


def describe(config: TrackingConfig, *, version: str, change: Callable[[str], str]) -> None:
    """Change a version's description, if the change is one."""
    client = connect(config)
    before = client.get_model_version(config.model, version).description or ""
    after = change(before)
    if after != before:
        client.update_model_version(config.model, version, after)


def resolved(config: TrackingConfig, place: InRegistry) -> Version:
    """The version behind an address.

    Raises:
        Refusal: the registry has no such model, alias or version, or another model under this number; the message says
            what there is.
    """
    client = connect(config)
    where = f"the registry at {config.shown_uri}"
    if not has_model(client, place.name):
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none at all"
        raise Refusal(f"{where}: {place} is absent, for it holds no model {place.name} (its models: {names}); {AGAIN}")
    found = plain(_found(client, place, where=where))
    if place.sha256 not in {None, found.tags.get(WEIGHTS_DIGEST)}:
        raise Refusal(f"{where}: {place} is another model than the one that was registered here; {AGAIN}")
    return found


def _found(client: MlflowClient, place: InRegistry, *, where: str) -> ModelVersion:
    if place.version is None:
        aliases = client.get_registered_model(place.name).aliases
        if place.alias not in aliases:
            known = ", ".join(f"{alias} (version {version})" for alias, version in sorted(aliases.items())) or "none"
            raise Refusal(f"{where}: {place.name} has no alias {place.alias}; its aliases: {known}")
        return client.get_model_version(place.name, aliases[place.alias])
    try:
        return client.get_model_version(place.name, place.version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise Refusal(f"{where} holds no version {place.version} of {place.name}; {AGAIN}") from error


@contextmanager
def fetched(config: TrackingConfig, *, version: Version) -> Iterator[Path]:
    """The files of a version's network in a temporary folder; they are the ones that were registered.

    Raises:
        Refusal: they are not, or the version was not registered by this project.
    """
    what = f"{version.name} version {version.version}"
    if DIGESTS not in version.tags:
        raise Refusal(f"{what} has no tag {DIGESTS}: it was not registered to its end; run `dvc repro register`")
    with tempfile.TemporaryDirectory(prefix="dsn-pose-model-") as folder:
        model = _download(config, version, f"{FOLDER}/{DATA}", into=folder)
        verify(model, registered_network(version.tags), what=what)
        yield model


def _download(config: TrackingConfig, version: Version, path: str, *, into: str) -> Path:
    try:
        source = f"runs:/{version.run_id}/{path}"
        return Path(download_artifacts(source, dst_path=into, tracking_uri=config.resolved_uri))
    except (MlflowException, OSError) as error:
        raise Refusal(
            f"{version.name} version {version.version}: its files could not be fetched from {config.shown_uri} "
            f"({one_line(error)}); see that the server and its artifact store answer and still hold them"
        ) from error


def every(config: TrackingConfig) -> list[Version]:
    """All versions of the model, newest first."""
    found = map(plain, connect(config).search_model_versions(f"name = '{config.model}'"))
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def changed_files(config: TrackingConfig, *, version: Version) -> Iterator[tuple[str, str]]:
    """Name of each stored file of a version that is not as it was registered, and what is wrong with it.

    MLflow's own note beside them, which it writes while it loads a version, is no file of the version.
    """
    wanted: dict[str, str] = json.loads(version.tags[DIGESTS])
    with tempfile.TemporaryDirectory(prefix="dsn-pose-model-") as folder:
        stored = digests(_download(config, version, FOLDER, into=folder))
    stored.pop(REGISTERED_MODEL_META_FILE_NAME, None)
    for name in sorted(stored.keys() | wanted.keys()):
        if stored.get(name) != wanted.get(name):
            yield name, f"got sha256 {stored.get(name, 'none')}, registered {wanted.get(name, 'none')}"


def has_model(client: MlflowClient, name: str) -> bool:
    """Whether a model of this name was ever registered."""
    return bool(client.search_registered_models(f"name = '{name}'"))


def plain(version: ModelVersion) -> Version:
    """MLflow's version as later stages need it."""
    return Version(name=version.name, version=str(version.version), run_id=str(version.run_id), tags=dict(version.tags))
