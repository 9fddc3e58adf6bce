"""Ctrl-C while Ray runs: its handlers of SIGINT stay when its run has ended, and then make nothing of the signal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupting() -> Iterator[None]:
    """Have SIGINT end the block even where a handler that the block sets passes over it; in the main thread.

    The handler from before is back afterwards.

    Raises:
        KeyboardInterrupt: at the block's end, for it would have gone on as if nothing had come.
    """
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    handler = signal.getsignal(signal.SIGINT)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    try:
        yield
        os.write(mouth, bytes(1))  # so that reading never waits
        if signal.SIGINT in os.read(ear, 1024):
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(before)
        os.close(ear)
        os.close(mouth)
