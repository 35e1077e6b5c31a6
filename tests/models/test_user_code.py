"""Functions and network factories in the user's files and packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from tests.support.user_networks import SMALL_INPUT, write_networks
from video_cam import UsageError, load_model
from video_cam.models.user_code import (
    build_network,
    digest_of_code,
    find_function,
    importing_from,
    is_reference,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_networks(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nets.py:make", True),
        ("some/folder/nets.py:make", True),
        ("package.module:make", True),
        ("timm:resnet18.a1", False),
        ("owner/name", False),
        ("folder/package:make", False),
        ("nets.py:2", False),
        ("net.pt", False),
    ],
)
def test_what_is_written_like_a_reference(text: str, expected: bool) -> None:
    assert is_reference(text) is expected


def test_the_same_network_from_a_file_a_package_and_at_hand(file: Path, monkeypatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    from_file = load_model(f"{file}:make", **SMALL_INPUT)
    from_package = load_model("nets:make", **SMALL_INPUT)
    del sys.modules["nets"]  # other tests have files of that name
    at_hand = load_model(from_file.module, **SMALL_INPUT)
    for model in (from_file, from_package, at_hand):
        assert (model.layer, model.labels) == ("conv", ("class 0", "class 1", "class 2"))
        assert model.layers((4, 16, 16)).folds["conv"].grid == (4, 8, 8)
    assert (from_file.name, at_hand.name) == (f"{file}:make", "Net")


def test_the_digest_changes_with_the_code_of_the_file(file: Path) -> None:
    first = load_model(f"{file}:make", **SMALL_INPUT)
    assert len(first.code) == 64 and first.known
    file.write_text(file.read_text() + "\n# changed\n")
    second = load_model(f"{file}:make", **SMALL_INPUT)
    assert second.code != first.code
    at_hand = load_model(first.module, **SMALL_INPUT)
    assert at_hand.code == "" and not at_hand.known


def test_what_has_no_file_has_no_digest() -> None:
    assert digest_of_code(len) == "" and digest_of_code(nn.Identity()) == ""
    assert len(digest_of_code(write_networks)) == 64


def test_a_reference_may_name_a_network_itself(file: Path) -> None:
    network = build_network(f"{file}:network")
    assert network is find_function(f"{file}:network")


def test_a_file_is_imported_once_and_finds_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("value = 7\n")
    (tmp_path / "torch.py").write_text("import beside_it\n\ndef f():\n    return beside_it.value\n")
    function = find_function(f"{tmp_path / 'torch.py'}:f")
    assert function() == 7
    assert find_function(f"{tmp_path / 'torch.py'}:f") is function
    # A file called torch.py has not replaced PyTorch, and the search path is as before.
    assert hasattr(sys.modules["torch"], "Tensor") and str(tmp_path) not in sys.path


def test_the_search_path_is_restored_after_an_error(tmp_path: Path) -> None:
    before = list(sys.path)
    with pytest.raises(RuntimeError), importing_from(tmp_path):
        assert sys.path[0] == str(tmp_path)
        raise RuntimeError
    assert sys.path == before


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("{file}:raises", r"raised RuntimeError: no such disk; it is called without arguments"),
        ("{file}:no_module", r"returned a int, expected an nn.Module"),
        ("{file}:number", r"is a int, expected a function"),
        ("{file}:mak", r"has no 'mak': did you mean make\?"),
        ("{broken}:make", r"cannot be imported: ValueError: half a file$"),
        ("missing.py:make", r"no such file: 'missing.py'"),
        ("no_package.at_all:make", r"no module named 'no_package' for 'no_package.at_all'"),
        ("make", r"'make' names no function: write file.py:name"),
    ],
)
def test_a_wrong_reference_gets_one_clear_line(reference: str, words: str, file: Path) -> None:
    broken = file.with_name("broken.py")
    broken.write_text("raise ValueError('half a file\\nand more')\n")
    with pytest.raises(UsageError, match=words) as caught:
        build_network(reference.format(file=file, broken=broken))
    assert "\n" not in str(caught.value)


def test_a_file_that_failed_is_imported_again_when_it_is_mended(tmp_path: Path) -> None:
    path, switch = tmp_path / "f.py", tmp_path / "switch"
    path.write_text(
        f"import pathlib\nassert pathlib.Path({str(switch)!r}).exists()\ndef f():\n    return 1\n"
    )
    with pytest.raises(UsageError, match="cannot be imported: AssertionError"):
        find_function(f"{path}:f")
    switch.touch()
    assert find_function(f"{path}:f")() == 1


def test_a_function_is_found_without_importing_pytorch(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f():\n    return 1\n")
    code = (
        "import sys; from video_cam.models.user_code import find_function; "
        f"find_function({str(tmp_path / 'f.py') + ':f'!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_network_whose_train_returns_nothing(tmp_path: Path) -> None:
    """As TSN's and mmaction2's backbones."""
    write_networks(tmp_path)
    (tmp_path / "nothing.py").write_text(
        "from nets import Net\n"
        "class Nothing(Net):\n"
        "    def train(self, mode=True):\n"
        "        super().train(mode)\n"
    )
    model = load_model(f"{tmp_path / 'nothing.py'}:Nothing", **SMALL_INPUT)
    assert model.layer == "conv" and not model.module.training
