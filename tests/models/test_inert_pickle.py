"""Tensors beside objects of every kind are read, and nothing that the file names is created."""

from __future__ import annotations

import argparse
import copyreg
import datetime
import enum
import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.pickles import CONTAINERS
from video_cam.models.inert_pickle import InertObject, read_archive

CREATED: list[str] = []


class Settings(dict):
    """A program's own kind of dictionary, as Lightning's and OmegaConf's are."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        CREATED.append("settings")
        super().__init__(*arguments, **options)

    def __reduce__(self) -> Any:
        return Settings, (), None, None, iter(self.items())


class History(list):
    """A program's own kind of list."""


class Mode(enum.Enum):
    TRAIN = 1


def read(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return read_archive(archive)


def state() -> OrderedDict[str, Any]:
    tensors = OrderedDict(
        half=torch.randn(3, 4).half(),
        bf16=torch.randn(2).bfloat16(),
        ints=torch.arange(5),
        flag=torch.tensor([True, False]),
        parameter=nn.Parameter(torch.randn(2, 3)),
        empty=torch.zeros(0, 3),
        transposed=torch.randn(2, 3).T,
        part=torch.arange(10.0)[3:7],
    )
    tensors._metadata = {"": {"version": 1}}
    return tensors


OTHERS: dict[str, Any] = {
    "settings": Settings(rate=0.1, mode=Mode.TRAIN),
    "history": History([1, 2]),
    "namespace": argparse.Namespace(epochs=3, function=len),
    "path": Path("runs"),
    "time": datetime.datetime(2026, 1, 2),
    "scalar": np.float64(3),
    "array": np.zeros(3),
    "set": {1, 2},
    "defaults": defaultdict(list, {"a": [1]}),
    "counter": Counter("aab"),
    "queue": deque([1, 2]),
    "complex": 1j,
    "device": torch.device("cpu"),
    "dtype": torch.float16,
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_beside_other_objects(protocol: int, tmp_path: Path) -> None:
    tensors = state()
    torch.save({"state_dict": tensors, **OTHERS}, tmp_path / "w.pth", pickle_protocol=protocol)
    CREATED.clear()
    content = read(tmp_path / "w.pth")
    assert CREATED == []
    assert content["state_dict"].keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(content["state_dict"][name], tensor), name
        assert content["state_dict"][name].dtype == tensor.dtype
    assert isinstance(content["settings"], InertObject) and content["settings"]["rate"] == 0.1
    assert content["settings"].name == f"{__name__}.Settings"
    # The same objects are created where the file is trusted.
    torch.load(tmp_path / "w.pth", weights_only=False)
    assert "settings" in CREATED


def in_archive(path: Path, pickled: bytes) -> Path:
    CONTAINERS["archive"](path, pickled)
    return path


def test_functions_of_pytorch_cannot_be_changed(tmp_path: Path) -> None:
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    for state in (b"}U\x0c__defaults__Nsb.", b"N}U\x0c__defaults__Ns\x86b."):
        with pytest.raises((pickle.UnpicklingError, AttributeError)):
            read(in_archive(tmp_path / "w.pth", b"\x80\x02" + rebuild + state))
    assert torch._utils._rebuild_tensor_v2.__defaults__ is not None


def test_classes_cannot_be_changed(tmp_path: Path) -> None:
    pickled = b"\x80\x02cnets\nNet\nN}U\x04nameU\x04evils\x86b."
    with pytest.raises(TypeError):
        read(in_archive(tmp_path / "w.pth", pickled))
    assert InertObject.name == ""


def test_objects_of_a_registry_are_refused(tmp_path: Path) -> None:
    copyreg.add_extension("os", "getcwd", 0x71)
    try:
        # Where the process has used the number before, pickle takes the object from a cache.
        assert pickle.loads(b"\x80\x02\x82\x71)R.") == str(Path.cwd())
        with pytest.raises(pickle.UnpicklingError, match="EXT1"):
            read(in_archive(tmp_path / "w.pth", b"\x80\x02\x82\x71)R."))
    finally:
        copyreg.remove_extension("os", "getcwd", 0x71)


def test_views_outside_their_storage_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(4.0)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    [pickled] = [name for name in members if name.endswith("data.pkl")]
    assert members[pickled].count(b"K\x04\x85") == 1  # the size (4,)
    members[pickled] = members[pickled].replace(b"K\x04\x85", b"K\x64\x85")
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(RuntimeError, match="out of bounds"):
        read(tmp_path / "bad.pth")
