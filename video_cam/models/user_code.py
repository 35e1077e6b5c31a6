"""The user's own functions and network factories: ``file.py:name`` or ``package.module:name``.

PyTorch is not imported before a network is built, so that a wrong argument answers at once.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from video_cam.errors import UsageError, first_line
from video_cam.models.user_imports import (
    digest_of_files,
    file_of,
    is_users,
    loaded_beside,
    note_imports,
    prepare_imports,
)
from video_cam.utils.names import nearest

if TYPE_CHECKING:
    from torch import nn

_REFERENCE = re.compile(r"(?P<source>.+):(?P<name>[A-Za-z_]\w*)")


def is_reference(text: str) -> bool:
    """Whether ``text`` is written ``package.module:name`` or ``file.py:name``."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return False
    source = match["source"]
    return source.endswith(".py") or re.fullmatch(r"\w+(\.\w+)*", source) is not None


def find_function(reference: str) -> Callable[..., Any]:
    """The function or class that a reference names; its module is imported, which runs it.

    Args:
        reference: ``package.module:name`` or ``file.py:name``.

    Raises:
        UsageError: where the module cannot be imported, has no such name, or where what has the
            name cannot be called.
    """
    module, source, name = _module_of(reference)
    if not hasattr(module, name):
        raise UsageError(f"{source!r} has no {name!r}: {_what_it_has(module, name)}")
    function = getattr(module, name)
    if not callable(function):
        raise UsageError(f"{reference} is a {type(function).__name__}, expected a function")
    return function


def build_network(reference: str) -> nn.Module:
    """The network that a factory makes; the factory is called without arguments.

    Args:
        reference: ``package.module:factory`` or ``file.py:factory``; it may name an nn.Module as
            well, which is returned.

    Raises:
        UsageError: as ``find_function``, and where the factory raises or returns no network.
    """
    from torch import nn

    from video_cam.layers.scores_only import as_network
    from video_cam.models.factory_result import check_takes_nothing, network_of

    factory = find_function(reference)
    if isinstance(factory, nn.Module):
        return as_network(factory)
    check_takes_nothing(factory, reference)
    try:
        made = factory()
    except Exception as error:  # the user's code may raise anything
        raise UsageError(
            f"{reference} raised {type(error).__name__}: {first_line(error)}; it is called "
            "without arguments and has to return an nn.Module (--debug shows where)"
        ) from error
    finally:
        note_imports()
    return network_of(made, reference)


def names_in_file(path: Path) -> list[str]:
    """The functions and classes that a Python file defines; it is read, not run."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [one.name for one in tree.body if isinstance(one, kinds) and one.name[0] != "_"]


@dataclass(frozen=True)
class UserFunction:
    """A function by its reference, which is imported where it is called.

    A function of a file cannot be sent to another process; its reference can.

    Attributes:
        reference: ``file.py:name`` or ``package.module:name``.
    """

    reference: str

    def load(self) -> Callable[..., Any]:
        """The function itself. Raises what ``find_function`` raises."""
        return find_function(self.reference)

    @property
    def __name__(self) -> str:
        return self.reference.rpartition(":")[2]

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.load()(*arguments)


def digest_of_code(function: Any) -> str:
    """SHA-256 of the file that defines a function or class, and of the user's files it imports.

    Returns:
        In hexadecimal; "" for what has no file.
    """
    if isinstance(function, UserFunction):
        return digest_of_reference(function.reference)
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return ""
    return digest_of_files([Path(path)]) if path else ""


def digest_of_reference(reference: str) -> str:
    """SHA-256 of the file that a reference names, and of the user's files it imports.

    Args:
        reference: as ``find_function`` takes it. Files that it has imported by now count, whatever
            names them.

    Returns:
        In hexadecimal; "" where the module has no file.
    """
    file = file_of(_module_of(reference)[0])
    return "" if file is None else digest_of_files([file, *loaded_beside(file)])


def digest_of_classes(classes: Iterable[type]) -> str:
    """SHA-256 of the user's files that define these classes, and of those they import.

    Returns:
        In hexadecimal; "" where no class is of a file of the user's.
    """
    modules = {sys.modules[one.__module__] for one in classes if one.__module__ in sys.modules}
    files = {file for module in modules if (file := file_of(module)) and is_users(file)}
    return digest_of_files(files)


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Inside the block modules in ``folder`` can be imported, as from a script that lies there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _module_of(reference: str) -> tuple[ModuleType, str, str]:
    """The module of a reference, the text that names it, and the name in it."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            f"{reference!r} names no function: write file.py:name or package.module:name"
        )
    source, name = match["source"], match["name"]
    module = _import_file(Path(source)) if source.endswith(".py") else _import_package(source)
    return module, source, name


def _what_it_has(module: ModuleType, name: str) -> str:
    """The rest of a message: names like this one, and those that the module itself defines."""
    known = {k: v for k, v in vars(module).items() if callable(v) and not k.startswith("_")}
    own = [k for k, v in known.items() if getattr(v, "__module__", "") == module.__name__]
    near = nearest(name, list(known))
    if not near.startswith("did") or not own:
        return nearest(name, own or list(known))
    return f"{near} It has {', '.join(own[:12])}{', ...' if len(own) > 12 else ''}"


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    path = path.resolve()
    prepare_imports(path.parent)
    # A unique name: a file called torch.py must not replace the module torch.
    content = path.read_bytes() + str(path).encode()
    name = f"_video_cam_{hashlib.sha256(content).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look up the module of a class there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        del sys.modules[name]
        raise UsageError(
            f"{str(path)!r} cannot be imported: {type(error).__name__}: {first_line(error)}"
        ) from error
    finally:
        note_imports(name)
    return module


def _import_package(name: str) -> ModuleType:
    prepare_imports(Path.cwd())
    known = set(sys.modules)
    try:
        with importing_from(Path.cwd()):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"no module named {error.name!r} for {name!r}: run in the folder that contains it, "
            "install it, or give its file as path/to/file.py:factory"
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise UsageError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {first_line(error)}"
        ) from error
    finally:
        note_imports(*(set(sys.modules) - known))
