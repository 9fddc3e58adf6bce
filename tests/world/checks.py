"""Limits for the checks of the tests' datasets."""

from typing import Any

from pipeline.posetrack.checks import CheckConfig


def check_config(**changes: Any) -> CheckConfig:
    """The default limits, with changes."""
    values = {"max_bad_share": 0.05, "max_leaked_share": 0.0, "far_outside": 0.5, "jump": 1.0, "decode": False}
    return CheckConfig(**(values | changes))
