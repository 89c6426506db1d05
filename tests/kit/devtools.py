"""A real headless Chromium, driven over its debugging pipe: no driver package, no port.

For pages whose workers' requests count too, and for drawing without a GPU (`browser` drives the web pages' tests)."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-dev-shm-usage", "--window-size=1440,1000", "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class NotYetError(Exception):
    """The browser refused a command: most often its page is just being replaced."""


class Browser:
    """One tab. `requests` are the URLs it asked for, `errors` what its console complained of, `failed` URLs without a
    good answer."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.failed: list[str] = []
        self._count = 0
        self._buffer = b""
        read_by_chrome, self._out = os.pipe()
        self._in, written_by_chrome = os.pipe()

        def place() -> None:  # Chromium reads its commands from descriptor 3 and answers on 4
            one, two = os.dup(read_by_chrome), os.dup(written_by_chrome)
            os.dup2(one, 3)
            os.dup2(two, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=place, close_fds=False,  # noqa: PLW1509
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(read_by_chrome)
        os.close(written_by_chrome)
        pages = [t for t in self._ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        target = pages[0]["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        # Workers have sessions of their own; what they ask for counts, too.
        self.ask("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the Chrome DevTools Protocol to the tab."""
        return self._ask(method, self._session, **params)

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def tabs(self) -> list[str]:
        """Where every tab is."""
        return [t["url"] for t in self._ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]

    def save_to(self, folder: Path) -> None:
        """Where downloads go from now on."""
        self._ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def evaluate(self, script: str) -> Any:
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def screenshot(self, save: Path | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        if save is not None:
            save.write_bytes(data)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def until(self, true: Callable[[], bool], seconds: float = 60) -> bool:
        """Wait for it, listening to what the page does meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(NotYetError):
                if true():
                    return True
            self._listen(0.3)
        return False

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def _ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        for answer in self._messages(60):
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise NotYetError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError(f"Chromium did not answer {method}")

    def _listen(self, seconds: float) -> None:
        for _ in self._messages(seconds):
            pass

    def _messages(self, seconds: float) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if b"\0" not in self._buffer:
                if not select.select([self._in], [], [], left)[0]:
                    return
                data = os.read(self._in, 2**20)
                if not data:
                    raise AssertionError("Chromium ended")
                self._buffer += data
                continue
            raw, _, self._buffer = self._buffer.partition(b"\0")
            message = json.loads(raw)
            self._note(message)
            yield message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Target.attachedToTarget" if params["targetInfo"]["type"] == "worker":
                ask = {"id": 0, "method": "Network.enable", "params": {}, "sessionId": params["sessionId"]}
                os.write(self._out, json.dumps(ask).encode() + b"\0")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Network.responseReceived" if params["response"]["status"] >= 400:
                self.failed.append(params["response"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
