"""The app as people use it: served on a port, opened in a browser, attacked from outside."""

from __future__ import annotations

import http.client
import io
import json
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.browser import MAX_WAIT_SECONDS, chromium, goto, wait_until
from tests.support.thread_worker import ThreadWorker
from video_cam.app import server
from video_cam.app.settings import AppConfig
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.config import ExplainConfig

gradio = pytest.importorskip("gradio", reason="gradio is not installed")

MAX_UPLOAD = 200_000
EXPLAIN = "button:text-is('Explain')"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of the app."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def called() -> set[str]:
    """The hosts that this process has connected to."""
    return set()


@pytest.fixture(scope="module")
def port(results: Path, called: set[str]) -> Iterator[int]:
    """The port of an app whose worker runs in a thread of this process."""
    from video_cam.app import engine

    explain = ExplainConfig(own_methods=True, detail="none", align="receptive-field", check=False)
    run = RunConfig(ModelConfig("motion3d"), explain, output_dir=str(results))
    config = AppConfig(run, max_upload=MAX_UPLOAD)
    connect = socket.socket.connect

    def recorded(own: socket.socket, address: Any) -> None:
        called.add(str(address[0]) if isinstance(address, tuple) else "a local file")
        connect(own, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Worker", ThreadWorker)
        patch.setattr(socket.socket, "connect", recorded)
        server.check_installed()
        with (
            server.listening("127.0.0.1", 0) as listener,
            server.upload_folder(config),
            server.made_server(config) as made,
        ):
            thread = Thread(target=made.run, kwargs={"sockets": [listener]})
            thread.start()
            yield listener.getsockname()[1]
            made.should_exit = True
            thread.join()
    assert not (results / ".uploads").exists()


@pytest.fixture(scope="module")
def page(port: int) -> Iterator[Any]:
    """The app in a browser, which may load nothing from elsewhere."""
    home = f"http://127.0.0.1:{port}/"
    problems: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(1000 * MAX_WAIT_SECONDS)
        page.on("request", lambda r: r.url.startswith((home, "blob:")) or problems.append(r.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.goto(home)
        yield page
    assert problems == []


def explained(page: Any, clip: Path, kind: str) -> str:
    """The status after a clip was uploaded and explained."""
    if page.locator("[aria-label=Clear]").count():
        page.click("[aria-label=Clear]")
    page.set_input_files("input[type=file]", clip)
    page.wait_for_selector(".vc-status:has-text('The clip is here')")
    page.click(EXPLAIN)
    page.wait_for_selector(f".vc-{kind}:not(:has-text('press Explain'))")
    page.wait_for_selector(f"{EXPLAIN}:not([disabled])")
    return page.inner_text(".vc-status")


def test_a_clip_is_explained_and_its_page_steps_in_place(
    page: Any, results: Path, sample_clip: Path, called: set[str], tmp_path: Path
) -> None:
    page.wait_for_selector("text=bundled: it knows drawn clips only")
    assert explained(page, sample_clip, "done") == "Done."
    assert page.inner_text(".vc-predictions tr:first-child th") == "dash right"
    summary = json.loads((results / "dash_right" / "summary.json").read_text())
    assert summary["options"]["align"] == "receptive-field"  # what the app was started with
    frame = page.query_selector(".vc-result iframe").content_frame()
    frame.wait_for_selector("body[data-ready]")
    goto(frame, 7)
    wait_until(frame, "videoCam.state.frame_index === 7")
    assert frame.evaluate("document.querySelector('meta[http-equiv]').content").startswith(
        "default-src 'none'"
    )
    assert page.evaluate("document.querySelector('.vc-result video').readyState") >= 1
    assert called <= {"127.0.0.1", "a local file"}

    # Then a file that is no clip: one line, and the result before it stays.
    broken = tmp_path / "broken & short.mp4"
    broken.write_bytes(b"nonsense" * 100)
    status = explained(page, broken, "error")
    assert status.startswith("broken & short.mp4: not a video") and "\n" not in status
    listed = tmp_path / "list.txt"
    listed.write_text(str(sample_clip))  # a list would name files of this machine
    assert explained(page, listed, "error").startswith("list.txt: ")
    assert page.inner_text(".vc-result h2") == "dash_right.mp4"
    folders = {path.name for path in results.iterdir() if path.is_dir()}
    assert folders == {"dash_right", ".locks", ".uploads"}


def test_the_form_follows_the_network(page: Any) -> None:
    page.click("input[aria-label=Network]")
    page.keyboard.press("Control+a")
    page.keyboard.type("nets.py:make")
    page.keyboard.press("Enter")
    line = ".vc-error:not(.vc-status)"  # beside the network; the status is that of the clip
    page.wait_for_selector(f"{line}:has-text('unknown network')")
    page.click("input[aria-label=Network]")
    page.keyboard.press("Control+a")
    page.keyboard.type("texture3d")
    page.keyboard.press("Enter")
    page.click("input[aria-label=Classes]")
    page.wait_for_selector("li:has-text('checks (')")
    page.keyboard.press("Escape")
    assert not page.locator(line).count()


def answer(
    port: int, path: str, method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, bytes]:
    """The status and the content that the server answers with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_WAIT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.fixture
def written(results: Path) -> Path:
    """A folder of results, and other files beside it."""
    folder = results / "clip"
    (folder / "page").mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text("{}")
    (folder / "page" / "data.js").write_text("0")
    (results / ".clip.partial").mkdir(exist_ok=True)  # as of a run that has not finished
    (results / ".clip.partial" / "summary.json").write_text("{}")
    (results / "index_data" / "0").mkdir(parents=True, exist_ok=True)
    (results / "index_data" / "0" / "score.js").write_text("1")
    (results / "private").mkdir(exist_ok=True)
    (results / "private" / "diary.txt").write_text("secret")
    return folder


def test_only_results_are_served(port: int, written: Path) -> None:
    assert answer(port, "/results/clip/summary.json") == (200, b"{}")
    assert answer(port, "/results/clip/page/data.js") == (200, b"0")
    assert answer(port, "/results/index_data/0/score.js") == (200, b"1")
    status, data = answer(port, "/archive/clip")
    assert status == 200
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == [
        "clip/page/data.js",
        "clip/summary.json",
    ]
    for path in (
        *("/results/private/diary.txt", "/results/.locks/results.jsonl.lock", "/results/.uploads"),
        *("/results/clip/../private/diary.txt", "/results/%2e%2e/%2e%2e/etc/passwd"),
        "/results/.clip.partial/summary.json",
        "/results/index_data/%2e%2e/private/diary.txt",
        *("/results//etc/passwd", "/archive/private", "/archive/clip/page", "/archive/..", "/docs"),
    ):
        assert answer(port, path)[0] == 404, path
    assert answer(port, f"/gradio_api/file={written.parent}/private/diary.txt")[0] == 403


def test_pages_of_other_sites_are_refused(port: int, written: Path) -> None:
    own = f"127.0.0.1:{port}"
    assert answer(port, "/")[0] == 200
    assert answer(port, "/", Host="rebound.example")[0] == 403
    for origin, status in ((f"http://{own}", 422), ("http://other.example", 403), ("null", 403)):
        assert answer(port, "/gradio_api/queue/join", "POST", "", Origin=origin)[0] == status
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    policy = connection.getresponse().getheader("Content-Security-Policy", "")
    connection.close()
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy


def test_a_request_cannot_name_a_file_that_was_not_uploaded(
    port: int, written: Path, sample_clip: Path
) -> None:
    config = json.loads(answer(port, "/config")[1])
    number, inputs = next(
        (one["id"], one["inputs"]) for one in config["dependencies"] if len(one["inputs"]) > 5
    )
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    data = [values[one] for one in inputs]
    data[0] = {"path": str(sample_clip), "meta": {"_type": "gradio.FileData"}}
    message = {"data": data, "fn_index": number, "session_hash": "attack"}
    headers = {"Content-Type": "application/json"}
    answer(port, "/gradio_api/queue/join", "POST", json.dumps(message), **headers)
    _, events = answer(port, "/gradio_api/queue/data?session_hash=attack")
    assert b'"success":false' in events and b"Done." not in events


def test_an_upload_that_is_too_large_is_refused(port: int, results: Path) -> None:
    def uploaded(size: int) -> int:
        head = '--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
        body = head.encode() + b"0" * size + b"\r\n--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return answer(port, "/gradio_api/upload", "POST", body, **kind)[0]

    assert uploaded(MAX_UPLOAD // 2) == 200
    before = {path for path in (results / ".uploads").rglob("*") if path.is_file()}
    assert uploaded(MAX_UPLOAD * 2) == 413
    assert {path for path in (results / ".uploads").rglob("*") if path.is_file()} == before
