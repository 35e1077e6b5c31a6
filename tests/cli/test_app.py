"""The command ``app``: its options and what it refuses."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import run_video_cam
from tests.support.command import assert_one_error_line
from video_cam.app import server
from video_cam.app.settings import AppConfig
from video_cam.batch.run_config import RunConfig


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[AppConfig]:
    """The settings of apps that would have been served."""
    configs: list[AppConfig] = []
    monkeypatch.setattr(server, "serve", lambda config, say: configs.append(config))
    return configs


def test_its_own_options_and_those_of_every_explanation(served: list[AppConfig]) -> None:
    words = ["--port", "0", "--model", "net.py:make", "--trust-checkpoint", "--max-upload", "2G"]
    assert run_video_cam.main(["app", *words, "--output-dir", "r", "--top_k", "3"]) == 0
    (config,) = served
    assert (config.host, config.port, config.max_upload) == ("127.0.0.1", 0, 2 * 2**30)
    assert config.run.model.name == "net.py:make" and config.run.model.trust_checkpoint
    assert config.run.explain.top_k == 3 and config.uploads == Path("r/.uploads")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--clip", "a.mp4"], "--clip is not for the app"),
        (["--truth", "folders"], "--truth is not for the app"),
        (["--list-models"], "--list-models is not for the app"),
        (["--output-dir", "s3://bucket/r"], "is an address, and the app shows results from a"),
        (["--engine", "ray"], "--engine ray: the app explains one clip at a time"),
        (["--port", "70000"], "port 70000 must lie between 0 and 65535"),
        (["--detail", "fine"], "unknown detail 'fine'"),
    ],
)
def test_what_does_not_fit_is_one_line(words, error, served: list[Any], capsys) -> None:
    assert_one_error_line(run_video_cam.main(["app", *words]), capsys.readouterr().err, 2, error)
    assert not served


def test_without_gradio_it_says_what_to_install(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    status = run_video_cam.main(["app", "--output-dir", str(tmp_path / "out")])
    message = "gradio is not installed: pip install 'video-cam[app]'"
    assert_one_error_line(status, capsys.readouterr().err, 2, message)
    assert not (tmp_path / "out").exists()


def test_a_port_that_is_taken(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(server, "check_installed", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        status = run_video_cam.main(["app", "--port", port, "--output-dir", str(tmp_path)])
    message = f"cannot listen on port {port} of 127.0.0.1"
    assert_one_error_line(status, capsys.readouterr().err, 2, message)
    assert not list(tmp_path.iterdir())


def test_two_apps_do_not_share_a_folder(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(server, "check_installed", lambda: None)
    remains = tmp_path / ".uploads" / "of an app that was killed.mp4"
    remains.parent.mkdir()
    remains.touch()
    with server.upload_folder(AppConfig(RunConfig(output_dir=str(tmp_path)))) as folder:
        assert folder == tmp_path / ".uploads" and not list(folder.iterdir())
        (folder / "upload.mp4").touch()
        status = run_video_cam.main(["app", "--port", "0", "--output-dir", str(tmp_path)])
        assert_one_error_line(status, capsys.readouterr().err, 2, "another app writes to")
        assert (folder / "upload.mp4").exists()
    assert not folder.exists()
