"""Chromium without a window, driven over a pipe by its DevTools protocol: neither a package nor a port is needed.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
FLAGS += "--disable-component-update --disable-sync --remote-debugging-pipe"
PATIENCE = 60  # seconds for an answer
KEYS: dict[str, tuple[int, str | None]] = {"Tab": (9, None), "Enter": (13, "\r")}
Event = dict[str, Any]


class Page:
    """A page in a browser of its own; `events` are what the browser told of it, each with its method and params."""

    def __init__(self, profile: Path) -> None:
        (commands, self._to), (self._from, answers) = os.pipe(), os.pipe()

        def wire() -> None:  # where --remote-debugging-pipe looks for them
            spare = os.dup(commands), os.dup(answers)
            os.dup2(spare[0], 3)
            os.dup2(spare[1], 4)

        assert CHROMIUM is not None
        command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            command, close_fds=False, preexec_fn=wire, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(commands)
        os.close(answers)
        self._read, self._sent = b"", 0
        self._session: str | None = None
        self.events: list[Event] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **params: Any) -> Any:
        """The browser's answer; RuntimeError with what it says is wrong."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._sent:
                break
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> Event:
        while b"\0" not in self._read:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise TimeoutError("chromium does not answer")
            self._read += os.read(self._from, 1 << 20)
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, or what it promises."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", expression))
        return found["result"].get("value")

    def until(self, expression: str, action: Callable[[], object] = lambda: None) -> None:
        """Waits until the expression is true, and does something before each look."""
        end = time.monotonic() + PATIENCE
        action()
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)
            action()

    def show(self, width: int, theme: str = "light", media: str = "screen") -> None:
        """Lay the page out as on a screen, or on paper, of this width.

        The width comes last: another one is an event to the page, and another medium is none.
        """
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **typed)

    def point(self, selector: str, click: bool = False) -> None:
        """Move the mouse to the first such element; its middle."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mouseMoved", *(("mousePressed", "mouseReleased") if click else ())):
            button = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)
