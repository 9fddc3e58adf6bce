"""Ctrl-C as a wish to stop after the frame in hand, so that files are left whole; a second one stops at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Gives what tells whether somebody wished to stop; within a thread that takes signals."""
    is_wished = False

    def wish(number: int, _: FrameType | None) -> None:
        nonlocal is_wished
        is_wished = True
        signal.signal(number, before)

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: is_wished
    finally:
        signal.signal(signal.SIGINT, before)
