"""Every block of Python and shell in the documents runs, in order, in a folder of its own."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_cam.cli.main import main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(python|bash)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ["docs/your-own-network.md", "docs/from-image-tools.md", "README.md"]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """A folder as a reader has it: the project's clips, an image, a folder of images, labels."""
    (tmp_path / "clips").symlink_to(ROOT / "clips")
    picture = np.random.default_rng(0).integers(0, 255, (96, 120, 3), np.uint8)
    (tmp_path / "images").mkdir()
    for name in ("image.png", "images/cat.png", "images/dog.png", "images/owl.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "labels.txt").write_text("\n".join(f"name {i}" for i in range(1000)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("nets", None)  # written on a page; other tests have files of that name


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of(page: str, reader: Path, capsys) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    for language, file, text in blocks:
        if file:
            (reader / file).write_text(text)
        elif language == "python":
            exec(compile(text, page, "exec"), {})
        else:
            for command in _commands(text):
                status = main([*command, *_small(command)])
                assert status == 0, capsys.readouterr().err


def _commands(text: str) -> list[list[str]]:
    """The arguments of each call of run_video_cam.py."""
    lines = text.replace("\\\n", " ").splitlines()
    calls = [shlex.split(line) for line in lines if line.strip()]
    assert all(call[:2] == ["python", "run_video_cam.py"] for call in calls)
    return [call[2:] for call in calls]


def _small(command: list[str]) -> list[str]:
    """At random weights 224 pixels say nothing more than 64."""
    return [] if "--size" in command else ["--size", "64"]


def test_what_the_pages_promise(reader: Path) -> None:
    """The pictures that docs/from-image-tools.md names are where it says."""
    common = ["--network", "resnet50", "--weights", "none", "--size", "64"]
    main(["--image-path", "image.png", *common, "--guided", "--output-dir", "results"])
    made = {str(p.relative_to(reader / "results")) for p in (reader / "results").rglob("*.png")}
    assert {"image/keyframes/000000.png", "image/guided/000000.png"} <= made
    arguments = ["--image_dir", "images", "--n_images", "1", "--conv_backcount", "1", "3"]
    main([*arguments, *common, "--top-k", "3", "--worst", "--save-dir", "grid"])
    assert [p.parent.name for p in (reader / "grid").glob("*/summary.json")] == ["cat"]
    picture = cv2.imread(str(reader / "grid/cat/comparison.png"))
    assert picture.shape[1] > 4 * 96
