"""What waits to be sent to a tracking server, which may be away for a while."""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from mlflow.exceptions import MlflowException

from pipeline.refusal import Refusal

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE_SECONDS = 600.0
"""How long work that cannot go on without the server waits for it."""

LIMIT = 100_000
"""Items that wait at most: about 100 MB."""

BATCH = 1000
"""Items in one request; MLflow takes no more."""

PAUSES = (0.5, 8.0)
"""Seconds until a request is repeated: the first pause, which doubles, and the longest."""

PASSING = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
"""Codes of errors that go away by themselves; a connection that breaks has the first one."""

log = logging.getLogger(__name__)


class Outbox(Generic[Item]):
    """Sends items in the order they came, from a thread of its own, so that whoever gives them never waits.

    An item is sent until the server took it. Behind the limit, new items are dropped, and the log says so.
    """

    def __init__(self, send: Callable[[Sequence[Item]], object], *, limit: int = LIMIT) -> None:
        self._send, self._limit = send, limit
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._fault: Exception | None = None
        self._dropped = 0
        self._closed = False
        self._sender: threading.Thread | None = None

    def put(self, items: Sequence[Item]) -> None:
        """Take items to send.

        Raises:
            Refusal: the server refused earlier ones for good.
        """
        with self._changed:
            self._rise()
            taken = items[: max(0, self._limit - len(self._waiting))]
            self._waiting.extend(taken)
            self._drop(len(items) - len(taken))
            self._changed.notify_all()
        if self._sender is None:
            self._sender = threading.Thread(target=self._work, daemon=True)
            self._sender.start()

    def close(self, *, patience: float) -> int:
        """Wait until all is sent, and stop; gives the number of items that were not, after `patience` seconds.

        Raises:
            Refusal: the server refused some for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._fault is not None, timeout=patience)
            self._rise()
            left = len(self._waiting)
            self._waiting.clear()
            self._closed = True
            self._changed.notify_all()
        return left + self._dropped

    def _work(self) -> None:
        pause = PAUSES[0]
        while batch := self._next():
            try:
                self._send(batch)
            except (MlflowException, OSError) as error:
                if not passes(error):
                    self._fail(error)
                    return
                if pause == PAUSES[0]:
                    log.warning("the tracking server is away; what it should hear waits for it")
                self._sleep(pause)
                pause = min(2 * pause, PAUSES[1])
                continue
            if pause > PAUSES[0]:
                log.info("the tracking server is back")
            pause = PAUSES[0]
            self._done(len(batch))

    def _next(self) -> list[Item]:
        """The oldest items; none once the outbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return list(islice(self._waiting, BATCH))

    def _done(self, count: int) -> None:
        with self._changed:
            for _ in range(min(count, len(self._waiting))):
                self._waiting.popleft()
            self._changed.notify_all()

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=seconds)

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._fault = error
            self._changed.notify_all()

    def _rise(self) -> None:
        if self._fault is not None:
            raise Refusal(
                f"the tracking server does not take this run's numbers ({one_line(self._fault)}); look whether the run "
                "is still there and may be written by you, then start this stage again, which goes on"
            ) from self._fault

    def _drop(self, count: int) -> None:
        if count and not self._dropped:
            log.warning("%d values wait for the tracking server; it will not hear of later ones", self._limit)
        self._dropped += count


def patiently(call: Callable[[], Result], *, patience: float = PATIENCE_SECONDS, what: str) -> Result:
    """What `call` gives, repeated while the server is away.

    Raises:
        Refusal: it was away for longer than `patience` seconds.
    """
    deadline, pause = time.monotonic() + patience, PAUSES[0]
    while True:
        try:
            return call()
        except (MlflowException, OSError) as error:
            if not passes(error):
                raise
            if time.monotonic() + pause > deadline:
                raise Refusal(
                    f"{what}: the tracking server was away for {patience:.0f} s ({one_line(error)}); "
                    "start it, and then this stage again"
                ) from error
            log.warning("%s waits for the tracking server", what)
        time.sleep(pause)
        pause = min(2 * pause, PAUSES[1])


def passes(error: Exception) -> bool:
    """Whether an error goes away by itself: a server that is down, starts or is overloaded."""
    if isinstance(error, MlflowException):
        return error.error_code in PASSING
    return not isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError)


def one_line(error: Exception) -> str:
    """An error's text, not too long, and without credentials that may stand in an address."""
    text = re.sub(r"://[^/@\s]+@", "://", " ".join(str(error).split()))
    return text if len(text) < 200 else f"{text[:200]} ..."
