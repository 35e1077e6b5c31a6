"""Read .npz files that may come from anybody: plain arrays, in bounded memory, without pickles."""

from __future__ import annotations

import math
import zipfile
from typing import IO

import numpy as np

_KINDS = "biufU"  # bool, integers, floats and text; an array of objects would be a pickle
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_HEADER_BYTES = 10_000  # NumPy's own limit for files that are not trusted
_SUFFIX = ".npy"


def read_arrays(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name.

    Args:
        file: open for reading, seekable.
        max_bytes: an archive that unpacks to more is refused before anything is unpacked.

    Raises:
        ValueError: for an archive that is too large, or holds something else than plain arrays.
        Exception: what zipfile and NumPy raise for damaged files, of many types.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) != len(members):
            raise ValueError("two members of the archive have one name")
        total = sum(member.file_size for member in members)
        if total > max_bytes:
            raise ValueError(f"the archive unpacks to {total} bytes, at most {max_bytes} are read")
        return {one.filename.removesuffix(_SUFFIX): _read_array(archive, one) for one in members}


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    name = member.filename
    if not name.endswith(_SUFFIX) or member.compress_type not in _COMPRESSIONS:
        raise ValueError(f"{name!r} is no array as NumPy writes it")
    with archive.open(member) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{name!r} has another version of NumPy's format")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(
            stream, max_header_size=_MAX_HEADER_BYTES
        )
        size = math.prod(shape) * dtype.itemsize
        # The claim of the header is compared with the archive's before memory is taken for it.
        is_plain = dtype.kind in _KINDS and min(shape, default=0) >= 0
        if not is_plain or size != member.file_size - stream.tell():
            raise ValueError(f"{name!r} is no plain array of its own size")
        # A number of bytes, as without one zipfile unpacks all that is packed, whatever the archive
        # claims; at the last byte it compares the checksum.
        data = bytearray(stream.read(size))
    if len(data) != size:
        raise ValueError(f"{name!r} is cut off")
    return np.ndarray(shape, dtype, data, order="F" if is_fortran else "C")
