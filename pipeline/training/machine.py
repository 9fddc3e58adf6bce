"""What a run trains on, in words for its record."""

import os
import platform
from pathlib import Path

from pipeline.cluster import ClusterConfig

CPUINFO = Path("/proc/cpuinfo")


def machine(cluster: ClusterConfig) -> dict[str, str]:
    """Tags: Ray's job, how many workers of which kind, and the hardware that Ray has. Called while Ray is connected."""
    import ray  # noqa: PLC0415  (after the environment is set)

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    accelerators = sorted(name.partition(":")[2] for name in resources if name.startswith("accelerator_"))
    return {
        "ray.job": ray.get_runtime_context().get_job_id(),
        "world": str(cluster.workers),
        "device": "cuda" if cluster.gpus_per_worker else "cpu",
        "hardware": ", ".join([*accelerators, f"{processor()}, {os.cpu_count()} cores"]),
    }


def processor() -> str:
    """The name of this machine's processor."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
