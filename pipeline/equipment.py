"""What a machine brings along: GPU and driver, Ray's token, DVC's remote and codecs; each as the doctor tells it."""

import configparser
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

from pipeline.pages.video import write_video

Look = tuple[str, str, str]
"""A state (`ok`, `warning` or `blocks`), what was found, and what to do about it, if anything."""

DRIVER = Path("/proc/driver/nvidia/version")
"""Where NVIDIA's driver tells its version."""
TOKEN = Path(".ray/auth_token")
"""Where Ray looks for its token below the home folder."""
PRIVATE = {"", "auto", "local"}
"""Values of RAY_ADDRESS that lead to no other machine."""
SHOTS = 3
"""Frames of the video on which codecs are tried."""


def cuda(driver: Path = DRIVER) -> Look:
    """Whether torch can use the GPUs for which the machine has a driver."""
    import torch  # noqa: PLC0415

    built = f"torch for CUDA {torch.version.cuda}" if torch.version.cuda else "torch without CUDA"
    if not driver.is_file():
        return "ok", f"{built}; no NVIDIA driver here, the CPU computes", ""
    version = re.search(r"\d+\.\d+(\.\d+)?", driver.read_text(encoding="utf-8"))
    found = f"{built}, NVIDIA driver {version[0] if version else 'of unknown version'}"
    if torch.cuda.is_available():
        return "ok", f"{found}, {torch.cuda.get_device_name(0)}", ""
    return "warning", f"{found}, and torch finds no GPU", "nvidia-smi; then a driver that knows torch's CUDA"


def ray_token(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Look:
    """Whether Ray lets in only who knows the token, and whether there is one."""
    wanted = environment.get("RAY_AUTH_MODE") == "token"
    file = environment.get("RAY_AUTH_TOKEN_PATH")
    place = Path(file) if file else (home or Path.home()) / TOKEN
    if wanted and not environment.get("RAY_AUTH_TOKEN") and not place.is_file():
        return "blocks", "RAY_AUTH_MODE is token, and there is none", "export RAY_AUTH_TOKEN=... as on Ray's head"
    if not wanted and environment.get("RAY_ADDRESS", "") not in PRIVATE:
        return (
            "warning",
            "RAY_ADDRESS is set without RAY_AUTH_MODE=token: whoever reaches that port can run code",
            "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=... on all machines",
        )
    return "ok", "there is one" if wanted else "none needed on this machine alone", ""


def dvc_remote(folder: Path = Path(".dvc")) -> Look:
    """Where `dvc push` would put what stages make."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read([folder / "config", folder / "config.local"], encoding="utf-8")
    name = settings.get("core", "remote", fallback="")
    if not name:
        return "ok", "none: what stages make stays on this machine (`dvc remote add -d NAME URL`)", ""
    url = settings.get(f"'remote \"{name}\"'", "url", fallback="")
    if not url:
        return "blocks", f"core.remote is {name}, which has no url", f"dvc remote add {name} URL"
    if "://" in url:
        parts = urlsplit(url)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return "ok", f"{name} at {shown}, which `dvc status --cloud` asks", ""
    if not (folder / url).is_dir():
        return "blocks", f"{name} at {url}, where there is no folder", f"mkdir -p {folder / url}, or mount it"
    return "ok", f"{name} at {url}", ""


def codecs() -> Look:
    """Write a video as `predict` and `browse` do, and read it back."""
    frames = [np.full((32, 48, 3), shade, np.uint8) for shade in range(0, 90, 90 // SHOTS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "codec.mp4")
        write_video(file, frames, fps=25.0)
        capture = cv2.VideoCapture(str(file))
        count = 0
        while capture.read()[0]:
            count += 1
        capture.release()
    if count != SHOTS:
        return (
            "blocks",
            f"OpenCV {cv2.__version__} reads {count} of {SHOTS} frames of VP9",
            "rm -rf .venv && make setup",
        )
    return "ok", f"OpenCV {cv2.__version__} writes and reads VP9 in MP4", ""
