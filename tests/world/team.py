"""A team's registry, as docs/registry.md says: MLflow with passwords, on PostgreSQL, with its files on S3."""

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from pipeline.tracking.config import TrackingConfig
from tests.world import postgresql, s3
from tests.world.mlflow_server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "registry.md").read_text(encoding="utf-8")
PASSWORD = "correct-horse-battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Its servers, of which the first can be killed and started again."""

    server: Server
    store: s3.Server


class Killing:
    """A client's method that kills the server at its n-th call, and then goes on."""

    def __init__(self, original: Callable[..., Any], team: Team, *, call: int) -> None:
        """In place of `original`."""
        self._original, self._team, self._left = original, team, call

    def __get__(self, client: object, _: type) -> Callable[..., Any]:
        """The method of a client."""

        def method(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self._team.server.kill()
            return self._original(client, *arguments, **named)

        return method


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """One for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("team"), patch) as team:
        yield team


@pytest.fixture
def tracking(team: Team, request: pytest.FixtureRequest) -> TrackingConfig:
    """The team's server, under a model name that no other test uses."""
    return TrackingConfig(uri=team.server.uri, experiment="tests", model=request.node.name)


@contextmanager
def running(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Team]:
    """Both servers, until the block ends; this process is the admin's."""
    stored = folder / "stored"
    stored.mkdir()
    with postgresql.running() as database:
        store = s3.Server(stored)
        s3.point_at(store, patch)
        server = Server(folder, options(database), environment=secrets(folder, database))
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        log_in(patch, "admin", PASSWORD)
        try:
            store.start()
            server.start()
            store.wait()
            server.wait()
            yield Team(server=server, store=store)
        finally:
            server.kill()
            store.kill()


def log_in(patch: pytest.MonkeyPatch, user: str, password: str) -> None:
    """Let MLflow's clients of this process, and of those that it starts, be a user's."""
    patch.setenv("MLFLOW_TRACKING_USERNAME", user)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def create_user(server: Server, user: str, password: str) -> None:
    """Let the admin make a user, by the request that MLflow's own client sends."""
    basic = b64encode(f"admin:{PASSWORD}".encode()).decode()
    content = json.dumps({"username": user, "password": password}).encode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
    urlopen(Request(f"{server.uri}/api/2.0/mlflow/users/create", content, headers)).close()


def options(database: str) -> list[str]:
    """Those of the page's server, with a database of the tests and their bucket."""
    [line] = re.findall(r"^mlflow server (.*)$", PAGE, re.MULTILINE)
    return [in_place(word, database).replace("BUCKET", s3.BUCKET) for word in shlex.split(line)]


def secrets(folder: Path, database: str) -> dict[str, str]:
    """The server's environment, with the page's auth.ini in `folder`."""
    [ini] = re.findall(r"^```ini\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    path = folder / "auth.ini"
    path.write_text(in_place(ini, database))
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(path),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "not used by clients",
    }


def in_place(text: str, database: str) -> str:
    """`text` with the tests' database in place of the page's."""
    return text.replace("postgresql+psycopg2://mlflow@/mlflow", database)
