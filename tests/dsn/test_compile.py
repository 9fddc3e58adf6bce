import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.networks import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("preset", "backend"), [*((name, "eager") for name in PRESETS), ("v3_2", "inductor")])
def test_training_step_and_inference_compile_to_one_graph_each(preset: str, backend: str) -> None:
    command = [sys.executable, "-m", "tests.world.compiled", preset, backend]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
