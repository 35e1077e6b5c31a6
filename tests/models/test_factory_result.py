"""Factories that cannot be called, or return something else than a network: one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_cam import UsageError, load_model

FILE = """
from collections import OrderedDict
from torch import nn
class Net(nn.Conv3d):
    def __init__(self, classes=5):
        super().__init__(3, classes, 3)
class Needs(Net):
    def __init__(self, config, *, depth):
        super().__init__(config)
def a_class():
    return Net
def needs(config, depth=3):
    return Net()
def pair():
    return 7, Net()
def table():
    return {"teacher": None, "student": Net()}
def numbers():
    return [1, 2]
def nothing():
    pass
def keywords(**options):
    return 3
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a_class", r"returned the class Net, .*: call the class, as def make\(\): return a_class"),
        ("needs", r"needs config, and it is called without.*: return needs\(config=...\)"),
        ("Needs", r"needs config, depth, and it is called without"),
        ("pair", r"returned a tuple of int, Net, .*return the network alone, .*pair\(\)\[1\]$"),
        ("table", r"returned a dict, .*return the network alone, .*table\(\)\['student'\]$"),
        ("numbers", "returned a list of int, int, expected an nn.Module$"),
        ("nothing", "returned a NoneType, expected an nn.Module$"),
        ("keywords", "returned a int, expected an nn.Module$"),
        ("Nett", r"has no 'Nett': did you mean Net\? It has Net, Needs, a_class, needs, pair"),
        ("zzzzz", "has no 'zzzzz': choose one of Net, Needs, a_class"),
    ],
)
def test_a_wrong_factory_gets_one_line(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(FILE)
    with pytest.raises(UsageError, match=words) as caught:
        load_model(f"{tmp_path / 'made.py'}:{name}")
    assert "\n" not in str(caught.value)


def test_a_factory_may_return_a_function(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text("def make():\n    return lambda clip: clip.mean((2, 3, 4)).numpy()\n")
    model = load_model(f"{path}:make", num_frames=2, size=(8, 8), device="cpu")
    assert len(model.labels) == 3 and model.code and model.known


def test_a_file_without_a_name_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text(FILE + "\nraise SystemExit(3)\n")
    with pytest.raises(UsageError, match=r"is a Python file: .*made.py:Net \(it has Net, Needs"):
        load_model(str(path))
