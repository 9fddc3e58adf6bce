"""Where tracking happens."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingConfig:
    """The tracking server and the names used there (section `tracking`)."""

    uri: str | None
    """Tracking URI; null is an SQLite file `mlflow.db` in the project's root. MLFLOW_TRACKING_URI goes before both."""
    experiment: str
    """The experiment that runs belong to."""
    model: str
    """The registered model's name."""

    def __post_init__(self) -> None:
        """Refuse credentials in params.yaml, which is kept with every run and version."""
        if self.uri is not None and "@" in urlsplit(self.uri).netloc:
            raise ValueError(
                f"uri: got {without_credentials(self.uri)} with credentials, wanted none in params.yaml; "
                "put MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD into the environment"
            )

    @property
    def resolved_uri(self) -> str:
        """The URI in force. A local file is named by its absolute path: relative ones follow the working folder."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.uri or f"sqlite:///{Path('mlflow.db').resolve()}"

    @property
    def shown_uri(self) -> str:
        """The URI in force without the credentials that may stand in it."""
        return without_credentials(self.resolved_uri)


def without_credentials(uri: str) -> str:
    """`https://user:secret@host/path` as `https://host/path`."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else uri
