"""Networks, layers and targets that cannot be used: exit status 2, one line, and no result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.user_networks import write_networks
from video_cam.cli.main import main

# Arguments, and words of the answer.
WRONG = [
    (["--model", "{file}:raises"], "raised RuntimeError: no such disk; it is called without"),
    (["--model", "{file}:no_module"], "returned a int, expected an nn.Module"),
    (["--model", "{file}:number"], "is a int, expected a function"),
    (["--model", "{file}:mak"], "did you mean make?"),
    (["--model", "no_package.at_all:make"], "no module named 'no_package'"),
    (["--model", "missing.py:make"], "no such file: 'missing.py'"),
    (["--model", "missing.pt"], "no such file: 'missing.pt'"),
    (["--model", "resnet5"], "did you mean resnet50"),
    (["--model", "nobody/nothing-like-it", "--weights", "none"], "neither on disk nor available"),
    (["--model", "timm:resnet5000"], "timm has no model 'resnet5000'"),
    (["--model", "frame_lstm"], "has no pretrained weights"),
    (["--model", "{file}:without_scores"], "expected (N, classes) or (N, T, classes) scores"),
    (["--model", "{file}:without_grid"], "no layer of the network puts out a grid of places"),
    (["--model", "{file}:frame_loop"], "once for each of the 4 frames: give it all frames at once"),
    (["--model", "{file}:frame_loop", "--layer", "conv"], "once for each of the 4 frames"),
    (
        ["--model", "{file}:detached"],
        "no layer of the network puts out a grid of places that leads",
    ),
    (
        ["--model", "{file}:detached", "--layer", "conv"],
        "the score does not depend on layer 'conv'",
    ),
    (["--model", "{file}:make", "--layer", "fc"], "layer 'fc' has no grid of places"),
    (["--model", "{file}:make", "--layer", "unused"], "or is never called: choose one of conv"),
    (["--model", "{file}:make", "--layer", "con"], "did you mean conv?"),
    (["--model", "{file}:make", "--layer", "-2"], "layer -2 is outside -1 ... -1"),
    (["--model", "{file}:make", "--layer", "x*"], "no layer with a grid matches 'x*'"),
    (["--model", "{file}:make", "--conv-backcount", "2"], "--conv-backcount 2 is outside 1 ... 1"),
    (
        ["--model", "{file}:make", "--target", "{file}:all_outputs"],
        "3) of the network's output, expected (N,) scores",
    ),
    (["--model", "{file}:make", "--target", "wrong"], "names no function: write file.py:name"),
    (["--model", "{file}:make", "--layout-in", "frames"], "the network does not run on an input"),
    (["--model", "{file}:make", "--mean", "0", "0", "0", "--std", "1", "0", "1"], "must not be 0"),
    (["--model", "{file}:make", "--size", "1", "2", "3"], "must be one side, or height and width"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_network_gets_one_line(
    arguments, words: str, tmp_path: Path, sample_clip: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("video_cam.models.hub.why_no_download", lambda url: "no network")
    file, output = write_networks(tmp_path), tmp_path / "out"
    size = [] if "--size" in arguments else ["--size", "16"]
    status = main(
        [
            *("--clip", str(sample_clip), "--output-dir", str(output)),
            *("--num-frames", "4", *size, *(text.format(file=file) for text in arguments)),
        ]
    )
    message = capsys.readouterr().err
    assert status == 2 and words in message
    assert message.startswith("error: ") and message.count("\n") == 1
    assert not [path for path in output.glob("*") if not path.name.startswith(".")]
