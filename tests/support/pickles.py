"""Pickles that run code with each opcode that can, and the files that can hold a pickle."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

_MODULE = __name__.encode()
_EXTENSION = 0x70
copyreg.add_extension("os", "mkdir", _EXTENSION)


class MakesFolder:
    """Makes a folder when it is created, or when its state is restored."""

    def __new__(cls, path: str = "") -> MakesFolder:
        if path:
            Path(path).mkdir()
        return super().__new__(cls)

    def __setstate__(self, path: str) -> None:
        Path(path).mkdir()


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


# Opcode -> a pickle that makes the folder ``path`` where it is read with trust.
PAYLOADS: dict[str, Callable[[str], bytes]] = {
    "REDUCE": lambda path: b"\x80\x02cos\nmkdir\n" + _text(path) + b"\x85R.",
    "STACK_GLOBAL": lambda path: (
        b"\x80\x04" + _text("os") + _text("mkdir") + b"\x93" + _text(path) + b"\x85R."
    ),
    "STACK_GLOBAL of an allowed module": lambda path: (
        b"\x80\x04"
        + _text("torch.serialization")
        + _text("os.mkdir")
        + b"\x93"
        + _text(path)
        + b"\x85R."
    ),
    "INST": lambda path: b"(" + _text(path) + b"ios\nmkdir\n.",
    "OBJ": lambda path: b"(cos\nmkdir\n" + _text(path) + b"o.",
    "NEWOBJ": lambda path: b"\x80\x02c" + _MODULE + b"\nMakesFolder\n" + _text(path) + b"\x85\x81.",
    "NEWOBJ_EX": lambda path: (
        b"\x80\x04c" + _MODULE + b"\nMakesFolder\n" + _text(path) + b"\x85}\x92."
    ),
    "BUILD": lambda path: b"\x80\x02c" + _MODULE + b"\nMakesFolder\n)\x81" + _text(path) + b"b.",
    "BINPERSID": lambda path: b"\x80\x02cos\nmkdir\n" + _text(path) + b"\x85RQ.",
    "EXT1": lambda path: b"\x80\x02\x82" + bytes([_EXTENSION]) + _text(path) + b"\x85R.",
    "in a dictionary": lambda path: pickle.dumps({"a": _Reduced(path)}, protocol=2),
}


class _Reduced:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


class _Trusting(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        return pid


def run(payload: bytes) -> None:
    """Read a pickle with trust, as ``pickle.load`` does."""
    _Trusting(io.BytesIO(payload)).load()


def _in_archive(path: Path, payload: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (("data.pkl", payload), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"archive/{name}", data)


def _behind_header(path: Path, payload: bytes) -> None:
    head = (MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True})
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in head) + payload)


def _in_tar(path: Path, payload: bytes) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(payload)
            archive.addfile(member, io.BytesIO(payload))


# Each kind of file that torch.load reads -> writes a pickle into it.
CONTAINERS: dict[str, Callable[[Path, bytes], object]] = {
    "archive": _in_archive,
    "first pickle": Path.write_bytes,
    "behind a header": _behind_header,
    "tar": _in_tar,
}
