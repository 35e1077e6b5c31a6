"""What the user's files import: it is found, read again where it changed, and part of the code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from tests.support.user_networks import SMALL_INPUT
from video_cam import load_model
from video_cam.models.user_code import digest_of_code, find_function

NETWORK = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv3d(3, width, 3, stride=(1, 2, 2), padding=1)
        self.fc = nn.Linear(width, 3)
    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3, 4)))
"""
# How a factory's file can come to use another file, and that file.
IMPORTS = {
    "beside it": ("from f_width import WIDTH", "f_width.py"),
    "in a function": (
        "def width():\n    from f_width import WIDTH\n    return WIDTH",
        "f_width.py",
    ),
    "by way of another": ("from f_between import WIDTH", "f_width.py"),
    "in a package": ("from f_pack.sizes import WIDTH", "f_pack/sizes.py"),
    "within a package": ("from f_pack import WIDTH", "f_pack/sizes.py"),
    "by a computed name": (
        "import importlib\nWIDTH = importlib.import_module('f_wid' + 'th').WIDTH",
        "f_width.py",
    ),
}


def write_factory(folder: Path, imports: str) -> Path:
    """nets.py with the imports of this kind, and the files that they mean."""
    statement = IMPORTS[imports][0]
    width = "width()" if "def width" in statement else "WIDTH"
    (folder / "f_pack").mkdir(parents=True)
    (folder / "f_pack/__init__.py").write_text("from .sizes import WIDTH\n")
    (folder / "f_pack/sizes.py").write_text("WIDTH = 4\n")
    (folder / "f_width.py").write_text("WIDTH = 4\n")
    (folder / "f_between.py").write_text("from f_width import WIDTH\n")
    file = folder / "nets.py"
    file.write_text(f"{NETWORK}\n{statement}\ndef make():\n    return Net({width})\n")
    return file


@pytest.mark.parametrize("imports", IMPORTS)
def test_the_code_of_a_network_includes_what_its_file_imports(imports: str, tmp_path: Path) -> None:
    file = write_factory(tmp_path / "nets", imports)
    first = load_model(f"{file}:make", **SMALL_INPUT)
    same = load_model(f"{file}:make", **SMALL_INPUT)
    (file.parent / IMPORTS[imports][1]).write_text("WIDTH = 15\n")
    changed = load_model(f"{file}:make", **SMALL_INPUT)
    assert first.code == same.code != changed.code
    # The changed file is also what the network is made of now.
    widths = [model.module.fc.in_features for model in (first, same, changed)]
    assert widths == [4, 4, 15]


def test_the_code_of_a_package_includes_what_it_imports(tmp_path: Path, monkeypatch) -> None:
    file = write_factory(tmp_path, "in a function")
    monkeypatch.chdir(file.parent)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    first = load_model("nets:make", **SMALL_INPUT)
    (file.parent / "f_width.py").write_text("WIDTH = 15\n")
    second = load_model("nets:make", **SMALL_INPUT)
    assert first.code != second.code and second.module.fc.in_features == 15


def test_what_a_file_names_may_be_made_elsewhere(tmp_path: Path) -> None:
    """The reference's own file counts, also where another file defines what it names."""
    file = write_factory(tmp_path, "beside it")
    file.with_name("f_again.py").write_text("import nets\nnetwork = nets.make()\n")
    first = load_model(f"{file.with_name('f_again.py')}:network", **SMALL_INPUT)
    assert len(first.code) == 64 and first.known
    (file.parent / "f_width.py").write_text("WIDTH = 15\n")
    second = load_model(f"{file.with_name('f_again.py')}:network", **SMALL_INPUT)
    assert second.code != first.code and second.module.fc.in_features == 15


def test_the_code_of_a_target_includes_what_it_imports(tmp_path: Path) -> None:
    file = tmp_path / "f_target.py"
    file.write_text("def margin(outputs):\n    import f_helper\n    return outputs[:, 0]\n")
    (tmp_path / "f_helper.py").write_text("A = 1\n")
    first = digest_of_code(find_function(f"{file}:margin"))
    (tmp_path / "f_helper.py").write_text("A = 22\n")
    assert len(first) == 64 and digest_of_code(find_function(f"{file}:margin")) != first


def test_the_code_of_a_saved_network_is_that_of_its_classes(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "f_saved.py").write_text(f"{NETWORK}\ndef make():\n    return Net(4)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("f_saved")
    torch.save(module.make(), tmp_path / "net.pt")
    first = load_model(tmp_path / "net.pt", trust_checkpoint=True, **SMALL_INPUT)
    (tmp_path / "f_saved.py").write_text(f"{NETWORK}\n# changed\n")
    second = load_model(tmp_path / "net.pt", trust_checkpoint=True, **SMALL_INPUT)
    assert len(first.code) == 64 and first.code != second.code and not first.known
    del sys.modules["f_saved"]


def test_files_that_are_not_imported_do_not_count(tmp_path: Path) -> None:
    file = write_factory(tmp_path, "beside it")
    first = load_model(f"{file}:make", **SMALL_INPUT)
    (tmp_path / "notes.py").write_text("WIDTH = 15\n")
    assert load_model(f"{file}:make", **SMALL_INPUT).code == first.code


def test_the_code_is_the_same_in_another_folder(tmp_path: Path) -> None:
    codes = [
        load_model(f"{write_factory(tmp_path / name, 'in a package')}:make", **SMALL_INPUT).code
        for name in ("a", "b")
    ]
    assert codes[0] == codes[1]


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    widths = []
    for width in (6, 7):
        file = write_factory(tmp_path / str(width), "beside it")
        (file.parent / "f_width.py").write_text(f"WIDTH = {width}\n")
        widths.append(load_model(f"{file}:make", **SMALL_INPUT).module.fc.in_features)
    assert widths == [6, 7]


def test_an_import_in_the_forward_finds_the_file_beside_it(tmp_path: Path) -> None:
    path = list(sys.path)
    (tmp_path / "f_late.py").write_text("def pooled(x):\n    return x.mean((2, 3, 4))\n")
    body = NETWORK.replace("self.conv(x).mean((2, 3, 4))", "pooled(self.conv(x))").replace(
        "(self, x):\n", "(self, x):\n        from f_late import pooled\n"
    )
    (tmp_path / "nets.py").write_text(f"{body}\ndef make():\n    return Net(4)\n")
    model = load_model(f"{tmp_path / 'nets.py'}:make", **SMALL_INPUT)
    assert len(model.labels) == 3 and sys.path == path


def test_a_linked_folder_finds_what_lies_beside_the_link(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "nets"
    for one in (elsewhere, folder):
        one.mkdir()
    (elsewhere / "g_part.py").write_text("from g_width import WIDTH\n")
    (folder / "g_width.py").write_text("WIDTH = 4\n")
    (folder / "g_linked").symlink_to(elsewhere)
    source = f"{NETWORK}\nfrom g_linked.g_part import WIDTH\ndef make():\n    return Net(WIDTH)\n"
    (folder / "nets.py").write_text(source)
    model = load_model(f"{folder / 'nets.py'}:make", **SMALL_INPUT)
    assert model.module.conv.out_channels == 4


def test_two_functions_of_a_file_share_the_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "f_kind.py").write_text("class Kind:\n    pass\n")
    for name in ("f_one", "f_two"):
        (tmp_path / f"{name}.py").write_text("import f_kind\ndef f():\n    return f_kind.Kind\n")
    one, two = (find_function(f"{tmp_path / name}.py:f")() for name in ("f_one", "f_two"))
    assert one is two


def test_other_code_does_not_find_the_files(tmp_path: Path) -> None:
    write_factory(tmp_path, "beside it")
    find_function(f"{tmp_path / 'nets.py'}:make")
    sys.modules.pop("f_between", None)
    with pytest.raises(ModuleNotFoundError):
        __import__("f_between")
