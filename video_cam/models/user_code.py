"""Functions of the user's own: ``file.py:name`` and ``package.module:name``. No PyTorch."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from video_cam.errors import UsageError
from video_cam.utils.names import nearest

_SPEC = re.compile(r"(?P<place>.+):(?P<name>[A-Za-z_]\w*)")


def is_spec(text: str) -> bool:
    """Whether ``text`` is written ``package.module:name`` or ``file.py:name``."""
    match = _SPEC.fullmatch(text)
    return match is not None and (
        match["place"].endswith(".py") or re.fullmatch(r"\w+(\.\w+)*", match["place"]) is not None
    )


def find_function(spec: str) -> Callable[..., Any]:
    """What ``package.module:name`` or ``file.py:name`` names; it has to be callable."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise UsageError(f"{spec!r} names no function: write file.py:name or package.module:name")
    place, name = match["place"], match["name"]
    module = _import_file(Path(place)) if place.endswith(".py") else _import_package(place)
    if not hasattr(module, name):
        known = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        raise UsageError(f"{place!r} has no {name!r}: {nearest(name, known)}")
    found = getattr(module, name)
    if not callable(found):
        raise UsageError(f"{spec} is a {type(found).__name__}, expected a function")
    return found


def digest_of_code(function: Any) -> str:
    """SHA-256 of the file that a function or class comes from; empty where there is none."""
    try:
        place = inspect.getsourcefile(inspect.unwrap(function))
        return hashlib.sha256(Path(place or "").read_bytes()).hexdigest()
    except (TypeError, OSError):
        return ""


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    # A name of its own: a file called torch.py must not stand in for torch.
    content = path.read_bytes() + str(path.resolve()).encode()
    name = f"_video_cam_{hashlib.sha256(content).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up
    try:
        with importing_from(path.resolve().parent):
            spec.loader.exec_module(module)
    except Exception as error:  # a stranger's file, run as it is
        del sys.modules[name]
        raise UsageError(
            f"{str(path)!r} cannot be imported: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return module


def _import_package(name: str) -> ModuleType:
    try:
        with importing_from(Path.cwd()):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"no module named {error.name!r} for {name!r}: run in the folder it lies in, install "
            "it, or give its file as path/to/file.py:factory"
        ) from error
    except Exception as error:  # as above
        raise UsageError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {_first_line(error)}"
        ) from error


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """What lies in ``folder`` can be imported, as it can by a script that is run there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
