"""The documents are correct: their Python and shell blocks run, and what they name exists."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.thread_worker import ThreadWorker
from video_cam.batch import supervision
from video_cam.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/alignment-and-time.md",
    "docs/app.md",
    "docs/benchmark.md",
    "docs/by-job.md",
    "docs/clusters.md",
    "docs/colours-and-pictures.md",
    "docs/command.md",
    "docs/export.md",
    "docs/from-image-tools.md",
    "docs/ground-truth.md",
    "docs/index.md",
    "docs/kinds-tried.md",
    "docs/known-repositories.md",
    "docs/methods.md",
    "docs/networks.md",
    "docs/python.md",
    "docs/questions.md",
    "docs/reference.md",
    "docs/speed.md",
    "docs/transformers.md",
    "docs/tutorial.md",
    "docs/your-own-network.md",
    "docs/video-files.md",
    "models3d/README.md",
]
WITH_BLOCKS = [
    "docs/by-job.md",
    "docs/export.md",
    "docs/tutorial.md",
    "docs/your-own-network.md",
    "docs/from-image-tools.md",
    "docs/ground-truth.md",
    "docs/python.md",
]
BLOCK = re.compile(r"^```(python|bash)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST_PATH = re.compile(r"\btests(?:/[\w*.]+)+")
TEST = re.compile(r"\b(tests(?:/\w+)+\.py)::(\w+)")
MODULE = re.compile(r"python -m ([\w.]*\w)")


def read(document: str) -> str:
    """The text of a document, whose path is relative to the project's folder."""
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """The current folder, with the files that the blocks use: clips, images, labels."""
    (tmp_path / "clips").symlink_to(ROOT / "clips")
    picture = np.random.default_rng(0).integers(0, 255, (96, 120, 3), np.uint8)
    (tmp_path / "images").mkdir()
    for name in ("image.png", "images/cat.png", "images/dog.png", "images/owl.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "labels.txt").write_text("\n".join(f"name {i}" for i in range(1000)))
    monkeypatch.setattr(supervision, "Worker", ThreadWorker)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("nets", None)  # written by a block; other tests have a module of this name


@pytest.mark.parametrize("document", WITH_BLOCKS)
def test_every_block_runs(document: str, project: Path, capsys) -> None:
    blocks = BLOCK.findall(read(document))
    assert blocks
    for language, file, text in blocks:
        if file:
            (project / file).write_text(text)
        elif language == "python":
            exec(compile(_smaller(text), document, "exec"), {})
        else:
            for arguments in _commands(text):
                cheaper = [] if arguments[0] == "export" else _cheaper(arguments)
                status = main([*arguments, *cheaper])
                assert status == 0, capsys.readouterr().err


def _smaller(text: str) -> str:
    """Python that gives networks inputs of 64 pixels, too."""
    return text.replace("112, 112", "64, 64")


def _commands(text: str) -> list[list[str]]:
    """The arguments of each call of run_video_cam.py."""
    lines = text.replace("\\\n", " ").splitlines()
    calls = [shlex.split(line) for line in lines if line.strip()]
    assert all(call[:2] == ["python", "run_video_cam.py"] for call in calls)
    return [call[2:] for call in calls]


def _cheaper(arguments: list[str]) -> list[str]:
    """Arguments for an input of 64 pixels, which runs the same code as the default of 224.

    The README's commands, which .ci/follow_readme.py runs as they are, also measure where cells
    look, look for finer layers of their networks and check their maps.
    """
    size = [] if "--size" in arguments else ["--size", "64"]
    aligned = [] if "--align" in arguments else ["--align", "receptive-field"]
    return [*size, *aligned, "--detail", "none", "--no-check"]


def test_pictures_named_for_image_tools_are_written(project: Path) -> None:
    common = ["--network", "resnet50", "--weights", "none", "--size", "64"]
    main(["--image-path", "image.png", *common, "--guided", "--output-dir", "results"])
    made = {str(p.relative_to(project / "results")) for p in (project / "results").rglob("*.png")}
    assert {"image/keyframes/000000.png", "image/guided/000000.png"} <= made
    arguments = ["--image_dir", "images", "--n_images", "1", "--conv_backcount", "1", "3"]
    main([*arguments, *common, "--top-k", "3", "--worst", "--save-dir", "grid"])
    assert [p.parent.name for p in (project / "grid").glob("*/summary.json")] == ["cat"]
    picture = cv2.imread(str(project / "grid/cat/comparison.png"))
    assert picture.shape[1] > 4 * 96  # four classes side by side


def test_all_documents_are_listed() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")}
    assert found == {document for document in DOCUMENTS if document.startswith("docs/")}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target in LINK.findall(read(document)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), f"{target!r}: no such file"
        if anchor:
            headings = HEADING.findall(linked.read_text(encoding="utf-8"))
            assert anchor in map(_anchor, headings), f"{target!r}: no such heading"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_modules_and_tests_that_are_named_exist(document: str) -> None:
    text = read(document)
    for module in MODULE.findall(text):
        assert find_spec(module), f"python -m {module}: no such module"
    for path in TEST_PATH.findall(text):
        assert any(ROOT.glob(path.rstrip("."))), f"{path}: no such file"
    for path, name in TEST.findall(text):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}: no such test"


def test_every_guarantee_of_security_names_a_test() -> None:
    table = re.search(r"\| guarantee \| tests \|\n\|.*\n((?:\|.*\n)+)", read("SECURITY.md"))
    assert table
    for row in table[1].splitlines():
        assert TEST.search(row), row
