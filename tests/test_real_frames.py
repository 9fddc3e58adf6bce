"""The whole DAG on real frames, with the default params: it trains on 24 frames and is scored on those that follow."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

AT_LEAST = 30.0
"""Official AP of the final readout on the frames that follow those trained on."""
