"""The files of deploy/ parse, and what they call exists: programs with those flags, targets, paths, files, numbers."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline import params
from tests.world.clone import ROOT

DEPLOY = ROOT / "deploy"
STATEMENT = re.compile(r"\b(?:ray start|ray health-check|mlflow server)\b.*")
"""A command line of a program whose flags can be looked up."""
PROGRAMS = ("ray start", "ray health-check", "mlflow server")
OPENCV_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb.so.1": "libxcb1",
}
"""The Debian package of each library that OpenCV's wheel expects of a system."""
OF_PYTHON = re.compile(r"ld-linux|lib(c|dl|gcc_s|m|pthread|rt|stdc\+\+|z)\.so")
"""Those that Python or the compiler need themselves."""


def yaml(name: str) -> dict[str, Any]:
    return params.read(DEPLOY / name)


def texts(value: Any) -> Iterator[str]:
    """Every text in parsed YAML."""
    match value:
        case str():
            yield value
        case dict():
            for entry in value.values():
                yield from texts(entry)
        case list():
            for entry in value:
                yield from texts(entry)


def statements() -> list[tuple[str, str]]:
    """The command lines of all files and of the page, each with its file."""
    found = []
    for path in sorted(DEPLOY.iterdir()):
        own = list(texts(yaml(path.name))) if path.suffix == ".yaml" else path.read_text().splitlines()
        found += [(path.name, hit.group()) for line in own if (hit := STATEMENT.search(line))]
    page = (ROOT / "docs" / "cluster.md").read_text().splitlines()
    found += [("cluster.md", line) for line in page if line.startswith("ray start")]
    return found


def flags(program: str) -> set[str]:
    """Those that a program itself tells of."""
    name, *verb = program.split()
    command = [str(Path(sys.executable).with_name(name)), *verb, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z-]+", told))


@pytest.mark.parametrize(("file", "line"), statements())
def test_flags_of_a_command_are_the_programs_own(file: str, line: str) -> None:
    program = next(name for name in PROGRAMS if line.startswith(name))
    used = {word.partition("=")[0] for word in re.findall(r"--[a-z-]+", line)}

    assert used <= flags(program), file


def test_every_file_starts_ray_or_a_server_that_was_looked_at() -> None:
    assert {file for file, _ in statements()} == {"cluster.md", "compose.yaml", "ray-cluster.yaml", "slurm.sh"}


def test_no_ray_is_started_with_its_telemetry() -> None:
    started = [(file, line) for file, line in statements() if line.startswith("ray start")]

    assert [place for place in started if "--disable-usage-stats" not in place[1]] == []


def test_the_image_makes_the_locked_environment() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = next(line for line in lines if line.startswith("COPY")).split()[1:-1]

    assert all((ROOT / name).is_file() for name in copied)
    assert "RUN make setup" in lines
    dry = subprocess.run(["make", "--dry-run", "--always-make", "setup"], cwd=ROOT, capture_output=True, check=False)
    assert dry.returncode == 0, dry.stderr
    minor = int(re.findall(r"FROM python:3\.(\d+)", "\n".join(lines))[0])
    assert minor in range(11, 14)


def needed(library: Path) -> set[str]:
    """The libraries that one names as needed, itself, by file name."""
    told = subprocess.run(["readelf", "--dynamic", str(library)], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", told))


def asked_of_the_system(folder: Path) -> set[str]:
    """What OpenCV and the libraries in its wheel's folder, followed from its module, need from outside that folder."""
    names = needed(Path(cv2.__file__).with_name("cv2.abi3.so"))
    own: set[str] = set()
    while found := {name for name in names - own if (folder / name).is_file()}:
        own |= found
        names |= set().union(*(needed(folder / name) for name in found))
    return names - own


def test_the_image_has_the_libraries_that_opencv_loads() -> None:
    """Without them `import cv2` fails: slim images lack them."""
    installed = (DEPLOY / "Dockerfile").read_text().split()

    asked = asked_of_the_system(Path(cv2.__file__).parents[1] / "opencv_python.libs")

    assert {OPENCV_PACKAGES[name] for name in asked if not OF_PYTHON.match(name)} <= set(installed)
    for page in ("README.md", "docs/quickstart.md", "docs/faq.md"):
        assert "apt-get install libgl1 libglib2.0-0 libxcb1`" in (ROOT / page).read_text(), page


def test_activating_the_environment_switches_telemetry_off(tmp_path: Path) -> None:
    dry = ["make", "--dry-run", "--always-make", "setup"]
    recipe = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    (line,) = [line for line in recipe if line.endswith(".venv/bin/activate")]
    (tmp_path / ".venv" / "bin").mkdir(parents=True)

    shell = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", f"{line}; . .venv/bin/activate; env"]
    found = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()

    assert {"DVC_NO_ANALYTICS=1", "RAY_USAGE_STATS_ENABLED=0", "MLFLOW_DISABLE_TELEMETRY=true"} <= set(found)


@pytest.mark.parametrize("name", ["compose.yaml", "rayjob.yaml", "ray-cluster.yaml", "slurm.sh"])
def test_every_cluster_asks_for_a_token_and_tells_gloo_its_interface(name: str) -> None:
    text = (DEPLOY / name).read_text()

    assert any(way in text for way in ("RAY_AUTH_TOKEN", "/tmp/.ray/auth_token: ", "authOptions:\n      mode: token"))
    assert "GLOO_SOCKET_IFNAME" in text
    assert "RAY_AUTH_MODE=token" in text + (DEPLOY / "Dockerfile").read_text()


def test_compose_keeps_secrets_out_of_git_and_listens_on_loopback_alone() -> None:
    services = yaml("compose.yaml")["services"]

    assert [port for service in services.values() for port in service.get("ports", [])] == [
        "127.0.0.1:5000:5000",
        "127.0.0.1:8265:8265",
    ]
    assert "${RAY_AUTH_TOKEN:?" in services["ray-head"]["environment"]["RAY_AUTH_TOKEN"]
    assert "${POSTGRES_PASSWORD:?" in services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_compose_waits_for_services_that_there_are_and_reaches_them_by_name() -> None:
    services = yaml("compose.yaml")["services"]
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)

    assert services["ray-worker"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert "--allowed-hosts mlflow:5000," in services["mlflow"]["command"]
    assert "--address=ray-head:6379" in services["ray-worker"]["command"]
    assert "--port=6379" in services["ray-head"]["command"]


def test_the_job_runs_the_dag_in_the_disk_that_all_pods_share() -> None:
    job = yaml("rayjob.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]

    assert shlex.split(job["spec"]["entrypoint"]) == ["bash", "-c", "cd /work && dvc repro"]
    for pod in pods:
        (container,) = pod["containers"]
        assert {"name": "work", "mountPath": "/work"} in container["volumeMounts"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert container["image"] == "dsn-pose"


def test_the_job_names_the_locked_ray_without_which_it_gets_no_token() -> None:
    (locked,) = re.findall(r"^ray==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert yaml("rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == locked


def test_the_image_has_the_program_by_which_kubernetes_asks_ray_for_its_health() -> None:
    assert "wget" in (DEPLOY / "Dockerfile").read_text().split()


def test_there_are_nodes_enough_for_the_default_workers() -> None:
    composed = yaml("compose.yaml")["services"]["ray-worker"]["deploy"]["replicas"]
    (group,) = yaml("rayjob.yaml")["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    machines = yaml("ray-cluster.yaml")["provider"]["worker_ips"]

    assert min(composed, group["replicas"], len(machines)) >= params.read(ROOT / "params.yaml")["cluster"]["workers"]


def test_the_launchers_own_schema_takes_the_cluster_file() -> None:
    launcher = import_module("ray.autoscaler._private.util")

    launcher.validate_config(launcher.prepare_config(yaml("ray-cluster.yaml")))


def test_the_slurm_script_is_sound_shell() -> None:
    checked = subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sh")], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def program(folder: Path, name: str, text: str) -> None:
    """Put a program of this name into a folder."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


SRUN = f"""#!{sys.executable}
import os, signal, subprocess, sys
task = subprocess.Popen(sys.argv[5:], start_new_session=True)  # behind four flags
signal.signal(signal.SIGTERM, lambda *_: os.killpg(task.pid, signal.SIGTERM))
status = task.wait()
try:
    os.killpg(task.pid, signal.SIGKILL)  # as Slurm does with what a task leaves behind
except ProcessLookupError:
    pass
sys.exit(status)
"""
STAGE = """
import signal, sys, time
from pathlib import Path
def keep(*_):
    time.sleep(0.5)
    Path("kept").touch()
    sys.exit(3)
signal.signal(signal.SIGTERM, keep)
print("training", flush=True)
time.sleep(60)
"""


def test_a_slurm_job_whose_time_is_up_lets_training_keep_its_step(tmp_path: Path) -> None:
    program(tmp_path, "srun", SRUN)
    program(tmp_path, "scontrol", "#!/bin/sh\necho node\n")
    program(tmp_path, "ray", "#!/bin/sh\n")
    program(tmp_path, "stage", f"#!{sys.executable}\n{STAGE}")
    program(tmp_path, "dvc", "#!/bin/bash\nstage\n")
    slurm = {"SLURM_JOB_NODELIST": "node", "SLURM_JOB_ID": "1", "SLURM_CPUS_PER_TASK": "1", "GLOO_SOCKET_IFNAME": "lo"}
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(DEPLOY / "slurm.sh")]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **slurm, "PATH": path}, stdout=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "training\n"

        job.terminate()

        assert job.wait(timeout=30) == 3
    assert (tmp_path / "kept").exists()


def test_the_walk_through_names_every_file(request: pytest.FixtureRequest) -> None:
    page = Path(request.config.rootpath, "docs", "cluster.md").read_text()

    assert [path.name for path in sorted(DEPLOY.iterdir()) if path.name not in page and path.name[0] != "."] == []
