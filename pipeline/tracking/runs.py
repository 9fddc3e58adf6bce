"""Runs on MLflow."""

from collections.abc import Mapping
from pathlib import Path
from time import time

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect, experiment_id, local_artifacts


class MlflowTracker:
    """A run on an MLflow server; see `Tracker`."""

    def __init__(self, client: MlflowClient, *, experiment: str, name: str, tags: Mapping[str, str]) -> None:
        self._client, self._experiment = client, experiment
        self.run_id: str = client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id

    def log_params(self, values: Mapping[str, object]) -> None:
        """Keep parameters; nested mappings become dotted names."""
        flat = [Param(name, str(value)) for name, value in flatten(values).items()]
        self._client.log_batch(self.run_id, params=flat)

    def log_metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a step, in one request."""
        now = int(time() * 1000)
        self._client.log_batch(self.run_id, [Metric(name, value, now, step) for name, value in values.items()])

    def log_file(self, path: Path, *, folder: str) -> None:
        """Keep a file, or a folder with all that is in it."""
        keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        keep(self.run_id, str(path), folder)

    def child(self, name: str) -> "MlflowTracker":
        """A nested run."""
        tags = {MLFLOW_PARENT_RUN_ID: self.run_id}
        return MlflowTracker(self._client, experiment=self._experiment, name=name, tags=tags)

    def finish(self, *, failed: bool = False) -> None:
        """Close the run."""
        self._client.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")


def start_run(config: TrackingConfig, name: str, *, tags: Mapping[str, str]) -> MlflowTracker:
    """A new run in the experiment of `config`, on a server that answers."""
    client = connect(config)
    experiment = experiment_id(client, config.experiment, artifacts=local_artifacts(config.resolved_uri))
    return MlflowTracker(client, experiment=experiment, name=name, tags=tags)


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
