"""A real Chromium, driven by the W3C WebDriver protocol through chromedriver: no library in between.

with chromium() as browser:
    browser.open(url)
    browser.find("#words").type("left effusion", ENTER)
    browser.wait("return document.querySelectorAll('.card').length > 0")
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ENTER, ESCAPE, LEFT, UP, RIGHT, DOWN = "\ue007", "\ue00c", "\ue012", "\ue013", "\ue014", "\ue015"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
)  # fmt: skip


def binaries() -> tuple[str, str] | None:
    """chromium and chromedriver, where both are installed."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    return (found[0], found[1]) if found[0] and found[1] else None


@contextmanager
def chromium(width: int = 1366, height: int = 768) -> Iterator[Browser]:
    """A fresh browser; its profile is gone afterwards."""
    paths = binaries()
    assert paths, "chromium and chromedriver are not installed"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    driver = subprocess.Popen(
        [paths[1], f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    web = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
    try:
        _answering(web)
        options = {"binary": paths[0], "args": [*_FLAGS, f"--window-size={width},{height}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
        made = web.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
        browser = Browser(web, f"/session/{made['sessionId']}")
        try:
            browser.resize(width, height)
            yield browser
        finally:
            web.delete(browser.path)
    finally:
        driver.terminate()
        driver.wait(10)
        web.close()


def _answering(web: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if web.get("/status").json()["value"]["ready"]:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "chromedriver does not start"
        time.sleep(0.05)


@dataclass(frozen=True)
class Element:
    """One element of the page."""

    browser: Browser
    path: str

    def click(self) -> None:
        self.browser.send(f"{self.path}/click", {})

    def type(self, *text: str) -> None:
        """Type; for a file input, the path of the file."""
        self.browser.send(f"{self.path}/value", {"text": "".join(text)})

    @property
    def text(self) -> str:
        return str(self.browser.fetch(f"{self.path}/text"))


@dataclass
class Browser:
    """What a person does with a browser, and what it says of itself."""

    web: httpx.Client
    path: str

    def send(self, path: str, body: dict[str, Any]) -> Any:
        return _value(self.web.post(self.path + path, json=body))

    def fetch(self, path: str) -> Any:
        return _value(self.web.get(self.path + path))

    def open(self, url: str) -> None:
        self.send("/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self.fetch("/url"))

    def find(self, selector: str) -> Element:
        found = self.send("/element", {"using": "css selector", "value": selector})
        return Element(self, f"/element/{found[_ELEMENT]}")

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.send("/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def put(self, selector: str, text: str) -> None:
        """Into a field, as if it were typed."""
        self.run(
            "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
            "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}));",
            selector,
            text,
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function's body in the page."""
        return self.send("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any, seconds: float = 20.0) -> Any:
        """Wait until the function's body returns something true, and return it."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < deadline, (
                f"in vain: {script}\n{self.run('return document.body.innerText')[:1500]}"
            )
            time.sleep(0.05)
        return value

    def drop(self, data: bytes, name: str, kind: str) -> None:
        """Drop a file on the page."""
        self.run(
            """
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], arguments[1], {type: arguments[2]}));
            for (const what of ["dragover", "drop"])
              document.body.dispatchEvent(new DragEvent(what, {dataTransfer, bubbles: true, cancelable: true}));
            """,
            base64.b64encode(data).decode(), name, kind,
        )  # fmt: skip

    def resize(self, width: int, height: int) -> None:
        """Make the page's own area this large."""
        self.send("/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        })  # fmt: skip

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.fetch("/screenshot")))

    def console(self) -> list[str]:
        """What the console has said since last asked: errors and warnings."""
        said = self.send("/se/log", {"type": "browser"})
        return [line["message"] for line in said if line["level"] in ("SEVERE", "WARNING")]

    def requested(self) -> set[str]:
        """Every address that was asked for since last asked."""
        told = [json.loads(line["message"])["message"] for line in self.send("/se/log", {"type": "performance"})]
        return {m["params"]["request"]["url"] for m in told if m["method"] == "Network.requestWillBeSent"}


def _value(answer: httpx.Response) -> Any:
    value = answer.json()["value"]
    if answer.status_code != 200:
        raise RuntimeError(f"{value['error']}: {value['message']}")
    return value
