"""Firefox for the tests of pages, spoken to in WebDriver BiDi (W3C); no other program is needed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.browser import MAX_WAIT_SECONDS, PLACE_PANEL, decode_png
from tests.support.downloads import downloaded

NAMES = ("firefox-esr", "firefox")
_PREFERENCES = """\
user_pref("remote.active-protocols", 1);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
"""
_LISTENING = "WebDriver BiDi listening on "
# WebDriver's code points of keys that are no letters.
_KEYS = {
    **{"Shift": "\ue008", "Enter": "\ue007", "Escape": "\ue00c", "PageUp": "\ue00e"},
    **{"PageDown": "\ue00f", "End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012"},
    **{"ArrowRight": "\ue014", "Tab": "\ue004"},
}


def find_firefox() -> str | None:
    """The path of an installed Firefox."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Firefox:
    """A running Firefox without a window.

    Attributes:
        downloads: the folder into which it saves.
    """

    def __init__(self, socket: Any, downloads: Path) -> None:
        self._socket, self._number = socket, 0
        self.downloads = downloads
        self.events: list[dict[str, Any]] = []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        behaviour = {"type": "allowed", "destinationFolder": str(downloads)}
        self.send("browser.setDownloadBehavior", downloadBehavior=behaviour)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to a command; events that come before are kept."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv(timeout=MAX_WAIT_SECONDS))
            if message.get("type") == "event":
                self.events.append(message)
            elif message.get("id") == self._number:
                assert message["type"] == "success", message
                return message["result"]

    def open(self, address: str, before: str = "") -> FirefoxPage:
        """A page in a tab of its own, when it is ready; ``before`` is a script that runs first."""
        return FirefoxPage(self, address, before)


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Start Firefox with a new profile; downloads go to ``folder``."""
    from websockets.sync.client import connect

    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        (Path(profile) / "user.js").write_text(_PREFERENCES)
        words = [str(find_firefox()), "--headless", "--no-remote", "--profile", profile]
        process = subprocess.Popen(
            [*words, "--remote-debugging-port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(_end, process)
        lines = iter(process.stderr or ())
        address = next(line for line in lines if line.startswith(_LISTENING))
        address = address.removeprefix(_LISTENING).strip()
        socket = stack.enter_context(connect(f"{address}/session", max_size=None))
        firefox = Firefox(socket, folder)
        yield firefox
        firefox.send("browser.close")


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class FirefoxPage:
    """A page, with what ``ChromiumPage`` has, too."""

    def __init__(self, firefox: Firefox, address: str, before: str) -> None:
        self._firefox, self._address = firefox, address
        self._context = firefox.send("browsingContext.create", type="tab")["context"]
        viewport = {"width": 1280, "height": 900}
        self._send("browsingContext.setViewport", viewport=viewport)
        if before:
            function = f"() => {{ {before} }}"
            self._firefox.send(
                "script.addPreloadScript", functionDeclaration=function, contexts=[self._context]
            )
        self._send("browsingContext.navigate", url=address, wait="complete")
        self.evaluate("videoCam.ready")

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """What a script's expression, its promise, or its function with the argument gives."""
        script = f"""(async () => {{
          let value = await ({expression});
          if (typeof value === "function") value = await value({json.dumps(argument)});
          return JSON.stringify(value) ?? "null";
        }})()"""
        answer = self._firefox.send(
            "script.evaluate",
            expression=script,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def reload(self) -> None:
        """Load the page again; of the command "reload", Firefox may report the end too early."""
        for address in ("about:blank", self._address):
            self._send("browsingContext.navigate", url=address, wait="complete")
        self.evaluate("videoCam.ready")

    def press(self, keys: str) -> None:
        """Press a key, as "m" or "Shift+ArrowRight"."""
        values = [_KEYS.get(key, key) for key in keys.split("+")]
        down = [{"type": "keyDown", "value": value} for value in values]
        up = [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._act("key", "keyboard", [*down, *up])

    def write(self, text: str) -> None:
        """Type letters into the focused element."""
        actions = [{"type": kind, "value": c} for c in text for kind in ("keyDown", "keyUp")]
        self._act("key", "keyboard", actions)

    def click(self, selector: str) -> None:
        """Click on the middle of the first element."""
        node = self._node(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        origin = {"type": "element", "element": {"sharedId": node}}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act("pointer", "mouse", [move, *press])

    def save(self, selector: str) -> Path:
        """The file that is saved when an element is clicked."""
        with downloaded(self._firefox.downloads) as saved:
            self.click(selector)
        return saved()

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to a file input."""
        element = {"sharedId": self._node(selector)}
        self._send("input.setFiles", element=element, files=[str(path)])

    def picture(self, panel: int = 0) -> np.ndarray:
        """A panel's pixels, uint8 (H, W, 3) RGB, as the screen shows them."""
        width, height = self.evaluate(PLACE_PANEL, panel)
        clip = {"type": "box", "x": 0, "y": 0, "width": width, "height": height}
        answer = self._send("browsingContext.captureScreenshot", clip=clip, origin="viewport")
        return decode_png(base64.b64decode(answer["data"]))

    def named(self, role: str, name: str | None = None) -> int:
        """How many elements of a role, and of a name, assistive technology is told of."""
        value = {"role": role} if name is None else {"role": role, "name": name}
        locator = {"type": "accessibility", "value": value}
        return len(self._send("browsingContext.locateNodes", locator=locator)["nodes"])

    @property
    def problems(self) -> list[str]:
        """Messages of the console, and addresses of other places that were asked for."""
        home = self._address.split("#")[0].rsplit("/", 1)[0]
        found = []
        for event in self._firefox.events:
            parameters = event["params"]
            if event["method"] == "log.entryAdded":
                found.append(str(parameters["text"]))
            elif parameters.get("context") == self._context:
                address = parameters["request"]["url"]
                if not address.startswith((home, "data:", "blob:")):
                    found.append(address)
        return found

    def close(self) -> None:
        """Close the tab."""
        self._send("browsingContext.close")
        self._firefox.events.clear()

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._firefox.send(method, context=self._context, **parameters)

    def _act(self, kind: str, identity: str, actions: list[dict[str, Any]]) -> None:
        source = {"type": kind, "id": identity, "actions": actions}
        self._send("input.performActions", actions=[source])

    def _node(self, selector: str) -> str:
        locator = {"type": "css", "value": selector}
        (node, *_) = self._send("browsingContext.locateNodes", locator=locator)["nodes"]
        return str(node["sharedId"])
