"""A page in headless Chromium at any width: its DevTools, over a pipe, give it what no window can have, a phone's."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
AT_PIPES = 'exec "${@:3}" 3<&"$1" 4>&"$2"'
"""Chromium reads commands from its descriptor 3 and writes answers to 4."""


@dataclass(slots=True, kw_only=True)
class DevTools:
    """Both ends of the pipe; a message is JSON before a zero byte."""

    commands: IO[bytes]
    answers: IO[bytes]
    session: str | None = None
    """Of the page that commands are for, once there is one."""
    sent: int = 0

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """What a command gives."""
        self.sent += 1
        of_page = {} if self.session is None else {"sessionId": self.session}
        message = {"id": self.sent, "method": method, "params": values, **of_page}
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while (answer := self.heard()).get("id") != self.sent:
            pass
        result: dict[str, Any] = answer["result"]
        return result

    def heard(self) -> dict[str, Any]:
        """The next answer or event."""
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "Chromium ended"
            data += byte
        message: dict[str, Any] = json.loads(data)
        return message


@contextmanager
def running(chromium: str, profile: Path) -> Iterator[DevTools]:
    """Chromium with a profile of its own, killed at the end."""
    (theirs, commands), (answers, to_us) = os.pipe(), os.pipe()
    browser = [chromium, *OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    process = subprocess.Popen(
        ["bash", "-c", AT_PIPES, "bash", str(theirs), str(to_us), *browser],
        pass_fds=(theirs, to_us),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)
    os.close(to_us)
    with os.fdopen(commands, "wb") as first, os.fdopen(answers, "rb") as second:
        try:
            yield DevTools(commands=first, answers=second)
        finally:
            process.kill()
            process.wait()


def opened(tools: DevTools, page: Path, *, width: int, is_phone: bool) -> None:
    """Show a file at a width in CSS pixels, to the end of its loading."""
    target = tools.call("Target.createTarget", url="about:blank")["targetId"]
    tools.session = tools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    scale = 3 if is_phone else 1
    tools.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=scale, mobile=is_phone)
    tools.call("Page.enable")
    tools.call("Page.navigate", url=page.as_uri())
    while tools.heard().get("method") != "Page.loadEventFired":
        pass


def evaluated(tools: DevTools, script: str) -> Any:
    """The value of an expression in the page."""
    result = tools.call("Runtime.evaluate", expression=script, returnByValue=True)
    assert "exceptionDetails" not in result, result
    return result["result"]["value"]
