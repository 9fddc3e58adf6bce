import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.networks import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("backend", "presets"), [("eager", PRESETS), ("inductor", ["v3_2"])])
def test_training_step_and_inference_compile_to_one_graph_each(backend: str, presets: list[str]) -> None:
    command = [sys.executable, "-m", "tests.world.compiled", backend, *presets]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.split() == list(presets), done.stderr[-3000:]
