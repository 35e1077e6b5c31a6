"""Checkpoints from unknown sources: no opcode runs code, bombs are refused before they unpack."""

from __future__ import annotations

import os
import random
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.fuzz.byte_damage import DAMAGES
from tests.support.pickles import CONTAINERS, PAYLOADS, run
from video_cam import UsageError
from video_cam.models.saved_networks import load_saved_network
from video_cam.models.weights import load_state_dict, read_state_dicts

NUM_MUTANTS = 300


def refusal(path: Path) -> str:
    """The one line that both readers of a checkpoint refuse it with."""
    with pytest.raises(UsageError) as caught:
        load_saved_network(path)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UsageError) as caught:
        read_state_dicts(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("opcode", PAYLOADS)
def test_no_opcode_runs_code(opcode: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    payload = PAYLOADS[opcode](str(marker))
    for number, write in enumerate(CONTAINERS.values()):
        write(tmp_path / f"{number}.pt", payload)
        refusal(tmp_path / f"{number}.pt")
    (tmp_path / "w.safetensors").write_bytes(payload)
    with pytest.raises(UsageError, match="cannot be read"):
        read_state_dicts(tmp_path / "w.safetensors")
    assert not marker.exists()
    run(payload)
    assert marker.exists()  # the pickle is one that runs code where it is trusted


def archive_of(path: Path, members: dict[str, bytes], compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_an_archive_that_unpacks_to_more_is_refused_before(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2**22)}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = archive_of(tmp_path / "bomb.pt", members, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**16
    assert "(an entry of the archive is compressed)" in refusal(bomb)


@pytest.mark.parametrize(
    ("name", "words"),
    [("../data.pkl", "leaves the archive"), ("/data.pkl", "leaves the archive")],
)
def test_entries_with_impossible_names_are_refused(name: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(archive_of(tmp_path / "w.pt", {name: b""}, zipfile.ZIP_STORED))


def test_entries_that_share_their_bytes_or_names_are_refused(tmp_path: Path) -> None:
    """Many entries of an archive can all point to the same bytes of the file."""
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", bytes(2**16))
        for number in range(9):
            twin = zipfile.ZipInfo(f"b{number}")
            twin.header_offset, twin.CRC = archive.filelist[0].header_offset, 0
            twin.file_size = twin.compress_size = 2**16
            archive.filelist.append(twin)
    assert "are larger than the file" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a", b"")
        archive.writestr("a", b"")
    assert "one name" in refusal(path)


STRANGE: list[tuple[Any, str]] = [
    (torch.zeros(2, 3, device="meta"), "a meta tensor, without values"),
    (torch.eye(3).to_sparse(), "a sparse tensor"),
    (torch.eye(3).to_sparse_csr(), "a sparse tensor"),
    (torch.zeros(2, 3, dtype=torch.complex64), "a tensor of complex64"),
    (torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.quint8), "a tensor of quint8"),
    (torch.zeros(1).expand(10**9), "a view that repeats its numbers"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tensor", "words"), STRANGE, ids=[words for _, words in STRANGE])
def test_tensors_that_are_no_weights_are_refused(tensor: Any, words: str, tmp_path: Path) -> None:
    torch.save({"weight": tensor, "bias": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=words) as caught:
        read_state_dicts(tmp_path / "w.pth")
    assert len(str(caught.value).splitlines()) == 1


def test_numbers_of_another_type_are_refused() -> None:
    state = {"weight": torch.zeros(2, 3, dtype=torch.int8), "bias": torch.zeros(2).half()}
    with pytest.raises(UsageError, match=r"1 of another type \(weight int8 instead of float32\)"):
        load_state_dict(nn.Linear(3, 2), state, "w.pth")


def test_attributes_that_hide_methods_are_refused(tmp_path: Path) -> None:
    pickled = (
        b"\x80\x02ccollections\nOrderedDict\n)R}(U\x03getK\x03U\x04keysK\x03U\x05itemsK\x03ub."
    )
    CONTAINERS["archive"](tmp_path / "w.pth", pickled)
    refusal(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_what_is_no_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        read_state_dicts(tmp_path / name)


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """Checkpoints of each kind, some of which would run code: (file name, content)."""
    state = OrderedDict(nn.Linear(3, 2).state_dict())
    path, made = folder / "original", []
    for is_archive in (True, False):
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=is_archive)
        made.append(("w.pth", path.read_bytes()))
    save_file(dict(state), path)
    made.append(("w.safetensors", path.read_bytes()))
    for write in CONTAINERS.values():
        write(path, PAYLOADS["REDUCE"](str(folder / "marker")))
        made.append(("w.pth", path.read_bytes()))
    return made


@pytest.mark.filterwarnings("ignore")
def test_damaged_checkpoints_give_weights_or_one_line(tmp_path: Path) -> None:
    rng, made = random.Random(0), originals(tmp_path)
    refused, began = 0, time.monotonic()
    for number in range(NUM_MUTANTS):
        name, content = made[number % len(made)]
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5))):
            rng.choice(DAMAGES)(data, rng)
        (tmp_path / name).write_bytes(data)
        try:
            [state] = read_state_dicts(tmp_path / name).values()
            load_state_dict(nn.Linear(3, 2), state, name)
        except UsageError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1, error
    assert not (tmp_path / "marker").exists()
    assert NUM_MUTANTS / 2 < refused < NUM_MUTANTS
    assert time.monotonic() - began < 60
