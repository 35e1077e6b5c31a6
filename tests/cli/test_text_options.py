"""``--text`` on the command line: what it asks for, and what the command writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import text_networks as tiny
from tests.support.command import Run
from tests.support.media import write_clip
from video_cam.cli.arguments import parse, run_config
from video_cam.text_config import DEFAULT_NETWORK, TextConfig


def test_texts_and_the_network_that_goes_with_them() -> None:
    words = ["--clip", "a.mp4", "--text", "a red car", "two dogs", "--text-negative", "rest"]
    config = run_config(parse([*words, "--text-template", "a photo of {}"]))
    texts = TextConfig(("a red car", "two dogs"), ("a photo of {}",), ("rest",))
    assert (config.model.text, config.model.name) == (texts, DEFAULT_NETWORK)
    assert config.explain.top_k is None
    assert run_config(parse([*words, "--model", "folder"])).model.name == "folder"
    without = run_config(parse(words[:2])).model
    assert (without.text, without.name, without.text_options) == (None, None, {})


def test_the_command_writes_the_texts(run: Run, out: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    tiny.save("CLIP", tmp_path / "network")
    clip = write_clip(tmp_path / "a.mp4", 4)
    words = ("--clip", clip, "--model", tmp_path / "network", "--text", "a red <b>", "two dogs")
    given = ("--num-frames", 4, "--align", "receptive-field", "--no-check")
    status, printed, errors = run(*words, "--text-negative", "rest", *given)
    assert status == 0 and "method attention-gradient" in printed + errors
    summary = json.loads((out / "a" / "summary.json").read_text())
    labels = {one["class_id"]: one["label"] for one in summary["predictions"]}
    assert labels == {0: "a red <b>", 1: "two dogs", 2: "rest"}
    assert [one["class_id"] for one in summary["maps"]] == [0, 1]
    page = (out / "a" / "index.html").read_text()
    assert "two dogs" in page and "a red <b>" not in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "motion3d", "--text", "cup"], "'motion3d' is no network of transformers"),
        (["--text", "cup", "Cup"], "text 'Cup' is given twice"),
        (["--text-template", "a {}"], "text_template ['a {}'] needs a text"),
    ],
)
def test_a_mistake_is_one_line(words, expected: str, run: Run, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 2)
    status, _, errors = run("--clip", clip, *words)
    assert status == 2 and errors.count("\n") == 1
    assert expected in errors
