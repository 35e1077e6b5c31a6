"""Start-up without PyTorch where it is not needed, and the public names."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import video_cam
from video_cam import choice_names
from video_cam.attribution.cam_methods import METHODS, POOLING
from video_cam.attribution.input_methods import INPUT_METHODS
from video_cam.cli import main as main_module
from video_cam.layers.alignment import ALIGNMENTS
from video_cam.perturbation.baselines import BASELINES
from video_cam.rendering.overlay import COLORMAPS

ROOT = Path(video_cam.__file__).parent.parent
COMMANDS = [
    ["--help"],
    ["--no-such-option"],
    ["--top-k", "many"],
    ["--clip"],
    [],
    ["--clip", "no-such-clip.mp4"],
    ["--clip", "clips/spin.mp4", "--method", "grad-cam"],
    ["--clip", "clips/spin.mp4", "--align", "centre"],
    ["--clip", "clips/spin.mp4", "--alpha", "2"],
    ["--clip", "clips/spin.mp4", "--top-k", "0"],
    ["--clip", "clips/spin.mp4", "--layout", "grid"],
    ["--clip", "clips/spin.mp4", "--start", "2", "--end", "1"],
    ["--clip", "clips/spin.mp4", "--labels", "no-such-labels.txt"],
    ["verify"],
    ["verify", "no-such-folder"],
]


def python(code: str) -> str:
    """The output of a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def starts() -> list[str]:
    """Of each command, all in one new interpreter: its exit status, and whether torch is there."""
    code = (
        "import sys, run_video_cam\n"
        f"for words in {COMMANDS!r}:\n"
        "    try: status = run_video_cam.main(words)\n"
        "    except SystemExit as left: status = left.code\n"
        "    print('\\nleft with', status, 'torch' in sys.modules)"
    )
    return re.findall(r"^left with (.+)$", python(code), re.MULTILINE)


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=lambda i: " ".join(COMMANDS[i]))
def test_help_and_argument_errors_do_not_import_torch(number: int, starts: list[str]) -> None:
    assert starts[number] == f"{0 if COMMANDS[number] == ['--help'] else 2} False"


def test_the_lists_of_names_are_the_tables_keys() -> None:
    assert tuple(METHODS) == choice_names.LAYER_METHOD_NAMES
    assert tuple(INPUT_METHODS) == choice_names.INPUT_METHOD_NAMES
    assert tuple(POOLING) == choice_names.POOLING_NAMES
    assert tuple(BASELINES) == choice_names.FILL_NAMES
    assert tuple(ALIGNMENTS) == choice_names.ALIGNMENT_NAMES
    assert tuple(COLORMAPS) == choice_names.COLORMAP_NAMES


def test_type_checkers_and_the_interpreter_see_the_same_names() -> None:
    tree = ast.parse(Path(video_cam.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {
        (statement.module, alias.name)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    homes = {(f"video_cam.{module}", name) for name, module in video_cam._HOMES.items()}
    assert declared - {("video_cam", "export"), ("video_cam", "metrics")} == homes
    assert {name for _, name in declared} | {"__version__"} == set(video_cam.__all__)


def test_public_names_whatever_is_imported_first() -> None:
    """A function hides the module of its name; what is not public is not there."""
    code = (
        "import importlib, sys\n"
        "def first(name):\n"
        "    'Import it as a new interpreter would; PyTorch, which takes seconds, stays.'\n"
        "    for module in [m for m in sys.modules if m.split('.')[0] == 'video_cam']:\n"
        "        del sys.modules[module]\n"
        "    importlib.import_module(name)\n"
        "    return importlib.import_module('video_cam')\n"
        "for name in ('video_cam', 'video_cam.pipeline', 'video_cam.explanation.explainer',\n"
        "             'video_cam.layers.hooks'):\n"
        "    video_cam = first(name)\n"
        "    from video_cam import explain, render, capture\n"
        "    print([f.__name__ for f in (explain, render, capture, video_cam.explain)])\n"
        "video_cam = first('video_cam')\n"
        "assert set(video_cam.__all__) <= set(dir(video_cam))\n"
        "from video_cam import *\n"
        "print(compute_cams.__module__, hasattr(video_cam, 'nothing'))"
    )
    *functions, names = python(code).splitlines()
    assert functions == ["['explain', 'render', 'capture', 'explain']"] * 4
    assert names == "video_cam.attribution.cam False"


def test_the_process_that_leads_a_run_does_not_import_torch() -> None:
    code = (
        "import sys, video_cam.batch.report, video_cam.batch.local, video_cam.batch.worker\n"
        "import video_cam.batch.ray_engine, video_cam.rendering.page.gallery\n"
        "print(*({'torch', 'torchvision', 'matplotlib'} & set(sys.modules)))"
    )
    assert python(code) == "\n"


def test_the_installed_command_is_the_one_of_the_script() -> None:
    """Both start with run_process, which also handles the end of a cluster job."""
    text = (ROOT / "pyproject.toml").read_text()
    [target] = re.findall(r'^video-cam = "(.+)"$', text, re.MULTILINE)
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    assert function is main_module.run_process
    script = (ROOT / "run_video_cam.py").read_text()
    assert f"sys.exit({name}())" in script
