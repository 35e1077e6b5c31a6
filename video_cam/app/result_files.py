"""Serves the files of results, and nothing else of the output folder."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from video_cam.batch.inputs import RESERVED
from video_cam.rendering.result_folder import SUMMARY_FILE


class ResultFiles(StaticFiles):
    """The folders of results in an output folder, and the files that list all clips."""

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root)
        self._root = root

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, which a browser asks for again each time: another run may replace it."""
        name = PurePosixPath(path)
        is_of_all_clips = bool(name.parts) and name.parts[0] in RESERVED
        if not is_of_all_clips and folder_of(self._root, name) is None:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def folder_of(root: Path, name: PurePosixPath) -> Path | None:
    """The folder of results that a path names or lies in; None for everything else."""
    if any(part.startswith(".") for part in name.parts) or name.is_absolute():
        return None
    for path in (name, *name.parents):
        if path.parts and (root / path / SUMMARY_FILE).is_file():
            return root / path
    return None


def send_archive(root: Path, request: Request) -> Response:
    """All files of a folder of results as one archive, which is made for this answer."""
    name = PurePosixPath(request.path_params["name"])
    folder = folder_of(root, name)
    if folder is None or folder != root / name:
        raise HTTPException(404)
    with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file:
        archive = Path(file.name)
        with zipfile.ZipFile(file, "w") as entries:  # videos and pictures are compressed already
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    entries.write(path, Path(folder.name) / path.relative_to(folder))
    remove = BackgroundTask(archive.unlink, missing_ok=True)
    return FileResponse(
        archive, media_type="application/zip", filename=f"{folder.name}.zip", background=remove
    )
