"""Imports of the user's files: what lies beside a file is found, and is part of its code.

A script finds the files beside it because Python puts its folder on the search path. Here a finder
does that for the user's files alone, also inside functions that are called later, and ``sys.path``
stays as it is. PyTorch is not imported.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

_PROJECT = Path(__file__).resolve().parent.parent
_NOT_THE_USERS = (
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")),
    _PROJECT,
    _PROJECT.parent / "models3d",
)
_PACKAGE_FOLDERS = {"site-packages", "dist-packages"}


class _FinderBeside(MetaPathFinder):
    """Finds modules for code in the user's folders, as if that folder came first on the path."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.names: set[str] = set()  # of modules found here
        self.digests: dict[Path, str] = {}  # of files, when they were loaded

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module's spec; None where another finder has to look for it."""
        if path is not None:  # a part of a package, which knows its own folder
            return None
        importer = _importing_file()
        folder = None if importer is None else self.folder_of(importer)
        spec = None if folder is None else PathFinder.find_spec(name, [str(folder)])
        if spec is None or (spec.origin and importer and _same(Path(spec.origin), importer)):
            return None  # a file called torch.py that imports torch does not mean itself
        self.names.add(name)
        return spec

    def folder_of(self, file: Path) -> Path | None:
        """The innermost of the user's folders that contains a file of the user's."""
        if not self.folders or not is_users(file):
            return None
        # A link in one of the folders belongs to it, wherever it leads.
        parents = (*file.parents, *file.resolve().parents)
        return next((folder for folder in parents if folder in self.folders), None)


_finder = _FinderBeside()


def prepare_imports(folder: Path) -> None:
    """Let code in ``folder`` find the modules beside it, as they are on disk now.

    Modules that were imported through this finder, and whose files have changed since, or whose
    names now mean other files, are forgotten; the next import reads them again.
    """
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    folder = folder.resolve()
    _finder.folders.add(folder)
    importlib.invalidate_caches()
    loaded = _loaded()
    own = {name for name, file in loaded.items() if folder in file.parents}
    if not any(_has_changed(loaded[name]) for name in own):
        own = set()
    foreign = {n for n in loaded if _is_another(n.partition(".")[0], folder)}
    for name in own | foreign:
        sys.modules.pop(name, None)
        _finder.digests.pop(loaded[name], None)


def note_imports(*names: str) -> None:
    """Remember which files have been loaded, and what they held.

    Args:
        names: modules that were imported in another way than through the finder.
    """
    files = {name: file_of(sys.modules[name]) for name in names if name in sys.modules}
    _finder.names.update(n for n, file in files.items() if file is not None and is_users(file))
    for file in _loaded().values():
        _finder.digests.setdefault(file, _digest_of(file))


def digest_of_files(start: Iterable[Path]) -> str:
    """SHA-256 of the user's files that ``start`` import, and of ``start`` themselves.

    Imports are found in the source text, wherever they are in it; so files count that are imported
    later. What ``start`` itself imports from packages and the standard library does not count.

    Returns:
        In hexadecimal; the same wherever the files lie.
    """
    contents = _contents_with_imports(start)
    if not contents:
        return ""
    base = Path(os.path.commonpath([file.parent for file in contents]))
    digest = hashlib.sha256()
    for file in sorted(contents):
        digest.update(f"{file.relative_to(base)} {len(contents[file])}\n".encode())
        digest.update(contents[file])
    return digest.hexdigest()


def loaded_beside(file: Path) -> list[Path]:
    """The user's files that have been imported from the same of the user's folders as ``file``.

    Those with computed names are among them, which cannot be read in the source text.
    """
    note_imports()
    folder = _finder.folder_of(file)
    return [one for one in _loaded().values() if folder in one.parents]


def is_users(file: Path) -> bool:
    """Whether a file is the user's: not of Python, an installed package, or this project."""
    if _PACKAGE_FOLDERS.intersection(file.parts):
        return False
    return not any(folder in file.parents for folder in _NOT_THE_USERS)


def file_of(module: ModuleType) -> Path | None:
    """The file of a module; None for one without a file, such as a namespace."""
    name = getattr(module, "__file__", None)
    return Path(name).resolve() if name else None


def _loaded() -> dict[str, Path]:
    """Module name -> file, of the user's modules that were imported through the finder."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name in _finder.names or name.partition(".")[0] in _finder.names:
            file = file_of(module)
            if file is not None and is_users(file):
                found[name] = file
    return found


def _is_another(name: str, folder: Path) -> bool:
    """Whether a loaded top-level module has the name of another one in ``folder``."""
    file = file_of(sys.modules[name]) if name in sys.modules else None
    if file is None or folder in file.parents:
        return False
    spec = PathFinder.find_spec(name, [str(folder)])
    return spec is not None and spec.origin is not None


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _has_changed(file: Path) -> bool:
    known = _finder.digests.get(file)
    return known is not None and known != _digest_of(file)


def _digest_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # deleted since it was imported
        return "gone"


def _importing_file() -> Path | None:
    """The file whose code runs the import statement that is being carried out."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code: CodeType = frame.f_code
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] != "importlib" and module != __name__:
            is_file = not code.co_filename.startswith("<")  # as <string> and <frozen runpy>
            return Path(code.co_filename).absolute() if is_file else None
        frame = frame.f_back
    return None


def _contents_with_imports(start: Iterable[Path]) -> dict[Path, bytes]:
    importlib.invalidate_caches()
    contents: dict[Path, bytes] = {}
    waiting = [file.resolve() for file in start]
    while waiting:
        file = waiting.pop()
        if file in contents:
            continue
        try:
            contents[file] = file.read_bytes()
        except OSError:
            continue
        if file.suffix == ".py" and is_users(file):
            waiting += _imported_by(file, contents[file])
    return contents


def _imported_by(file: Path, source: bytes) -> Iterator[Path]:
    """The user's files that the import statements of a file mean."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # it cannot have been imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name.split("."), _search_path(file))
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            above = file.parents[min(node.level, len(file.parents)) - 1]
            search = [above] if node.level else _search_path(file)
            if node.level:
                yield from _existing([above / "__init__.py"])
            for alias in node.names:  # a name may be a module or what is in one
                yield from _files_of([*parts, alias.name], search)


def _search_path(file: Path) -> list[Path]:
    """Where a file's absolute imports are looked for before Python's own search path."""
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    own = _finder.folder_of(file)
    return [*([] if own is None else [own]), folder]


def _files_of(parts: list[str], search: list[Path]) -> Iterator[Path]:
    """The user's files of package, sub-package and module; those that exist."""
    locations: list[str] = list(map(str, search))
    for number in range(len(parts)):
        name = ".".join(parts[: number + 1])
        spec = PathFinder.find_spec(name, locations)
        if spec is None and not number and name not in sys.stdlib_module_names:
            spec = _installed(name)
        if spec is None:
            return
        if spec.origin:
            yield from _existing([Path(spec.origin)])
        locations = list(spec.submodule_search_locations or [])
        if not any(is_users(Path(location) / "x") for location in locations):
            return


def _installed(name: str) -> ModuleSpec | None:
    """What Python's own search path and editable installs mean by a top-level name."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        return None


def _existing(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        if file.is_file() and is_users(file.resolve()):
            yield file.resolve()
