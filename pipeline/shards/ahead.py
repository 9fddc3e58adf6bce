"""Work ahead of whoever takes the results: decoding and warping let go of Python's lock."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

END: Any = object()


def ahead(items: Iterator[T], *, count: int) -> Iterator[T]:
    """The items in their order, up to `count` of them made by a thread before they are asked for.

    An error comes at the item that it stands for. Whoever stops early waits for the item under way, and for no other.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting = deque(thread.submit(next, items, END) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not END:
                waiting.append(thread.submit(next, items, END))
                yield item
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
