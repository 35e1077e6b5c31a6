"""Archives of arrays from unknown sources: what is read, and what is refused in bounded memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from video_cam.utils.array_archive import read_arrays

LIMIT = 2**20


def header(description: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """The beginning of an .npy file."""
    text = description.encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text


def described(dtype: str, shape: str) -> bytes:
    return header(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}")


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(save) -> None:
    arrays = {
        "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": np.zeros((0, 4)),
        "text": np.array("ä, b"),
        "flag": np.array(True),
    }
    file = io.BytesIO()
    save(file, **arrays)
    read = read_arrays(file, LIMIT)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)
        assert read[name].flags.writeable


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.npy": described("'<f4'", "(1000000000000,)") + bytes(64)}, "no plain array of its"),
        ({"a.npy": described("'<f4'", "(-2, -2)") + bytes(16)}, "no plain array of its"),
        ({"a.npy": described("'<f4'", "(3,)") + bytes(16)}, "no plain array of its"),
        ({"a.npy": described("'|O'", "(1,)") + b"cos\nsystem\n"}, "no plain array of its"),
        ({"a.npy": described("[('x', '<f4')]", "(1,)") + bytes(4)}, "no plain array of its"),
        ({"a.npy": described("'<M8[s]'", "(1,)") + bytes(8)}, "no plain array of its"),
        ({"a.npy": described("'<f4'", "(" + "1, " * 5000 + ")")}, "header"),
        ({"a.npy": header("(" * 3000)}, "."),
        ({"a.npy": header("{}", version=(3, 0))}, "another version"),
        ({"a.txt": b"hello"}, "no array"),
        ({"a.npy": bytes(LIMIT + 1)}, "unpacks to 1048577 bytes, at most 1048576 are read"),
        ({f"{i}.npy": bytes(LIMIT // 8) for i in range(9)}, "unpacks to"),
    ],
)
def test_what_is_no_plain_array_is_refused_in_little_memory(members, words: str) -> None:
    file = archive(members)
    tracemalloc.start()
    with pytest.raises(Exception, match=words) as caught:
        read_arrays(file, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 2 * LIMIT
    tracemalloc.stop()
    assert not isinstance(caught.value, MemoryError)


def test_a_member_that_claims_to_be_small_is_not_unpacked_whole() -> None:
    """The archive says that 64 MiB of zeros are one array of 16 bytes."""
    start = described("'<f4'", "(4,)")
    data, size = start + bytes(64 * LIMIT), len(start) + 16
    packed = archive({"a.npy": data}).getvalue()
    lying = packed.replace(struct.pack("<I", len(data)), struct.pack("<I", size))
    assert lying != packed
    tracemalloc.start()
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        read_arrays(io.BytesIO(lying), LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 2 * LIMIT
    tracemalloc.stop()


def test_two_members_of_one_name_are_refused() -> None:
    file, data = io.BytesIO(), described("'<f4'", "(1,)") + bytes(4)
    with zipfile.ZipFile(file, "w") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("a.npy", data)
        made.writestr("a.npy", data)
    with pytest.raises(ValueError, match="one name"):
        read_arrays(file, LIMIT)
