"""What stops a run says what to change."""

import pytest
import torch

from pipeline.training.guards import NoRoomError, enough_memory

FULL = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 8.00 GiB."


@pytest.mark.parametrize(
    ("clips", "advice"), [(16, "set it to 8: the batch stays as large"), (1, "lower model.input_size")]
)
def test_a_gpu_without_room_says_which_number_to_change(clips: int, advice: str) -> None:
    with pytest.raises(NoRoomError, match=rf"micro_batch: got a pass of {clips} clips, .*memory\); {advice}"):  # noqa: SIM117
        with enough_memory(clips):
            raise torch.OutOfMemoryError(FULL)
