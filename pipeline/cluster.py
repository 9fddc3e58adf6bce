"""A Ray cluster to work on: the one RAY_ADDRESS names, what `cluster up` left here, or a private one for the work."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline import standing
from pipeline.refusal import Refusal
from pipeline.standing import Standing

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "60",
    "RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES": "",
}
"""What Ray goes by where the environment says nothing else, in the driver and in all that it starts.

No telemetry, no warning about the variable that hides GPUs from tasks that asked for none, half a second instead of
two until the end of a run is noticed, and no defaults beside our own `excludes`, which Ray would warn of. A worker that
does not answer for a minute is started again: where a network breaks, the answer may be lost while both ends live, and
Ray waits ten minutes for it before it asks anew.
"""

ANSWER_SECONDS = 5.0
"""Behind this an address is dead; Ray itself would knock for minutes."""

GREETING_SECONDS = 20.0
"""Behind this no Ray listens there: a busy head greets later than its machine takes the call."""

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of gRPC begins, with no settings of its own (RFC 9113, section 3.4); a server answers with settings."""

SESSION = "dsn-pose-ray-"
"""Begins the names of private sessions' temporary folders; the number of the process that owns them follows."""

ALONE = "dsn-pose-alone"
"""A resource of the node of a Ray that is this machine's alone, by which its drivers know that no other node joins."""

LEFT_BEHIND = ("/*", "!.", "!/dsn", "!/pipeline", "__pycache__")
"""What of the working folder is not sent to workers, in the words of .gitignore: all but the code that they run."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """The share of a cluster that training takes (section `cluster`)."""

    workers: int
    """Training processes, one rank each."""
    min_workers: int | None
    """The fewest that training goes on with, at the same batch, while a host is gone; null waits for all of them."""
    cpus_per_worker: float
    """CPUs that Ray sets aside for one of them; its threads are the whole part of this, at least one."""
    gpus_per_worker: float
    """GPUs for one of them: 0 trains on the CPU by gloo, 1 on GPUs by NCCL; a part of one where there is one worker."""
    max_failures: int
    """How many times a failed run is started again from its last checkpoint."""
    storage: str
    """Where checkpoints of unfinished runs are kept: a folder, relative to the root, or a URL that all nodes reach."""

    def __post_init__(self) -> None:
        """Refuse what no cluster can give."""
        if self.workers < 1:
            raise ValueError(f"workers: got {self.workers}, wanted at least 1")
        if self.min_workers is not None and not 1 <= self.min_workers <= self.workers:
            raise ValueError(f"min_workers: got {self.min_workers}, wanted 1 to workers = {self.workers}, or null")
        if self.cpus_per_worker <= 0:
            raise ValueError(f"cpus_per_worker: got {self.cpus_per_worker}, wanted more than 0")
        if self.gpus_per_worker not in {0, 1} and not (self.workers == 1 and 0 < self.gpus_per_worker < 1):
            raise ValueError(
                f"gpus_per_worker: got {self.gpus_per_worker:g}, wanted 0, 1, or with one worker a part of 1, "
                "for a rank computes on one GPU and shares it with no other"
            )

    @property
    def storage_path(self) -> str:
        """`storage` as Ray needs it: a URL as it is, a folder absolute."""
        return self.storage if "://" in self.storage else str(Path(self.storage).resolve())

    @property
    def fewest(self) -> int:
        """So many workers there must be for training to begin, and to go on."""
        return self.min_workers or self.workers

    @property
    def scale(self) -> int | tuple[int, int]:
        """How many workers, as Ray needs it: a number, or the fewest and the most."""
        return self.workers if self.fewest == self.workers else (self.fewest, self.workers)

    @property
    def share(self) -> dict[str, float]:
        """What one worker takes, as Ray needs it: no kind of which it takes nothing."""
        return share(cpus=self.cpus_per_worker, gpus=self.gpus_per_worker)

    @property
    def threads(self) -> int:
        """Threads of one worker: more than its CPUs make every step several times slower."""
        return max(1, int(self.cpus_per_worker))


def share(*, cpus: float, gpus: float) -> dict[str, float]:
    """CPUs and GPUs by Ray's names, without a kind of which there is nothing."""
    return {kind: amount for kind, amount in {"CPU": cpus, "GPU": gpus}.items() if amount}


def own_cpus() -> int:
    """CPUs that a Ray of this machine alone offers: two at least, for the default run has two workers."""
    return max(2, len(os.sched_getaffinity(0)))


@contextmanager
def connected() -> Iterator[str]:
    """Connect to RAY_ADDRESS or to what `cluster up` left here, else start Ray; disconnect or stop it at the end.

    Yields:
        The address at which other processes reach the same Ray.

    Raises:
        Refusal: nothing answers at RAY_ADDRESS.
    """
    _set()
    address = os.environ.get("RAY_ADDRESS") or standing.address()
    with _joined(address) if address else _private() as reached:
        yield reached


def _set() -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def silence(address: str) -> str:
    """Why no Ray can answer at a value of RAY_ADDRESS, in a few words; empty where one does, or its like.

    `auto` and `local` are not looked at: with them Ray looks on this machine alone, and quickly.
    """
    if address in {"auto", "local"}:
        return ""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return f"got {address}, wanted HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS) as connection:
            return "" if _is_greeted(connection) else "something else listens there"
    except (OSError, OverflowError) as error:
        return str(error)


def _is_greeted(connection: socket.socket) -> bool:
    """Whether a server of gRPC is at the other end, as all of Ray's are; one that wants TLS is taken at its word."""
    if os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:
        return True
    connection.settimeout(GREETING_SECONDS)
    connection.sendall(GREETING)
    frame = b""
    while len(frame) < 9 and (more := connection.recv(9 - len(frame))):
        frame += more
    return frame[3:5] == bytes((4, 0))  # the frame's type, settings, and its flags


@contextmanager
def _joined(address: str) -> Iterator[str]:
    reason = silence(address)
    if reason:
        raise Refusal(
            f"RAY_ADDRESS: no Ray cluster answers at {address} ({reason}); start it (`ray start --head`), correct the "
            "address, or unset RAY_ADDRESS to work on this machine alone"
        )
    import ray  # noqa: PLC0415  (reads the environment on import)

    try:
        ray.init(address=address, runtime_env=_runtime_env(), log_to_driver=False, logging_level=logging.WARNING)
    except ConnectionError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[-1]
        raise Refusal(
            f"RAY_ADDRESS: Ray does not let this process in at {address} ({reason}); wanted a cluster that is up, "
            "by the port of its head, and its RAY_AUTH_TOKEN where RAY_AUTH_MODE is token"
        ) from error
    try:
        yield address
    finally:
        ray.shutdown()


@contextmanager
def _private() -> Iterator[str]:
    import ray  # noqa: PLC0415  (reads the environment on import)

    with _private_session() as session:
        ray.init(
            address="local",
            num_cpus=own_cpus(),
            resources={ALONE: 1},
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=session,
            runtime_env=_runtime_env(),
        )
        try:
            yield ray.get_runtime_context().gcs_address
        finally:
            ray.shutdown()


def hold() -> None:
    """Start a private Ray, tell in `.ray/cluster.json` how to reach it, and keep it until SIGTERM or Ctrl-C."""
    over = threading.Event()
    _set()
    with _private() as address:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        own = psutil.Process()
        token = os.environ["RAY_AUTH_TOKEN"]
        standing.write(Standing(address=address, token=token, holder=own.pid, since=standing.began(own)))
        over.wait()
        standing.FILE.unlink(missing_ok=True)


def run_sharing(command: Sequence[str]) -> None:
    """Run a command whose processes all use one Ray, where each would start its own.

    Ctrl-C reaches the command from the terminal; Ray stops once the command has ended.

    Raises:
        CalledProcessError: the command failed.
    """
    with connected() as address:
        with subprocess.Popen(command, env={**os.environ, "RAY_ADDRESS": address}) as process:
            status = _ended(process)
        if status:
            raise subprocess.CalledProcessError(status, command)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status, once there is one: an interrupt is the process's own affair."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


@contextmanager
def _private_session() -> Iterator[str]:
    """A temporary folder for Ray's sockets and logs; the logs of work that failed are kept below `.ray/logs`."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    _sweep()
    session = tempfile.mkdtemp(prefix=f"{SESSION}{os.getpid()}-")
    try:
        yield session
    finally:
        failure = sys.exc_info()[0]
        logs = Path(session, "session_latest", "logs")
        if failure is not None and not issubclass(failure, KeyboardInterrupt) and logs.is_dir():
            _keep(logs, Path(".ray", "logs", logs.resolve().parent.name).resolve())
        shutil.rmtree(session, ignore_errors=True)


def _keep(logs: Path, kept: Path) -> None:
    try:
        shutil.copytree(logs, kept, ignore_dangling_symlinks=True)
    except OSError as error:  # a full disk may be the very failure
        log.warning("Ray's logs of the failure could not be kept: %s", str(error)[:200])
        return
    log.error("Ray's logs of the failure: %s", kept)


def _sweep() -> None:
    """Remove the sessions of processes that were killed: only those could not do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SESSION}*"):
        owner = folder.name.removeprefix(SESSION).split("-")[0]
        if not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _runtime_env() -> dict[str, object]:
    """What workers begin with: this project's code, and nothing else of the folder, so data never travels this way."""
    settings = {name: os.environ[name] for name in SETTINGS}
    return {"working_dir": str(Path.cwd()), "excludes": list(LEFT_BEHIND), "env_vars": settings}
