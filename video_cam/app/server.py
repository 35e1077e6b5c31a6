"""The server of the app: the form, the files of results, and the folder of uploads."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from video_cam.app.settings import AppConfig
from video_cam.batch.store import LOCKS, open_store
from video_cam.errors import UsageError
from video_cam.utils.extras import import_extra
from video_cam.utils.files import make_folder
from video_cam.utils.locks import LockHeld, NoLocks, file_lock

_SECONDS_TO_END = 2  # for answers that are being sent


def serve(config: AppConfig, say: Callable[[str], None]) -> None:
    """Serve the app until the process is interrupted.

    Args:
        say: gets the address, in one line, when the app can be opened.

    Raises:
        UsageError: where gradio is missing, the port cannot be used, the output folder cannot be
            written, or another app uses it.
    """
    check_installed()
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config.host, config.port))
        stack.enter_context(upload_folder(config))
        server = stack.enter_context(made_server(config))
        host, port = listener.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        say(f"video_cam app: {address} (results go to {config.results}; Ctrl-C ends it)")
        if config.show:
            import webbrowser

            webbrowser.open(address)
        server.run(sockets=[listener])


def check_installed() -> None:
    """Raise UsageError where gradio is missing."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read while it is imported
    import_extra("gradio", "app")


@contextmanager
def upload_folder(config: AppConfig) -> Iterator[Path]:
    """The folder of uploads: empty at the beginning, removed at the end, of one app at a time.

    It lies in the output folder, so that the same file has the same path the next time, and its
    results the same folder.

    Raises:
        UsageError: where it cannot be written, or another app uses it.
    """
    open_store(config.run.output_dir).prepare()
    folder = config.uploads.resolve()
    with ExitStack() as stack:
        try:
            lock = config.results / LOCKS / f"{folder.name}.lock"
            stack.enter_context(file_lock(lock, 0))
            shutil.rmtree(folder, ignore_errors=True)  # of an app that was killed
            make_folder(folder)
        except LockHeld as error:
            raise UsageError(
                f"another app writes to {str(config.results)!r}: choose another --output-dir"
            ) from error
        except (NoLocks, OSError) as error:
            raise UsageError(f"cannot write to {str(config.results)!r}: {error}") from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        before = os.environ.get("GRADIO_TEMP_DIR")
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        stack.callback(_restore, before)
        yield folder


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop("GRADIO_TEMP_DIR", None)
    else:
        os.environ["GRADIO_TEMP_DIR"] = before


@contextmanager
def made_server(config: AppConfig) -> Iterator[Any]:
    """The server of an app, a ``uvicorn.Server``; what it explains is given up at the end."""
    import uvicorn
    from fastapi import FastAPI
    from starlette.routing import Mount, Route

    from video_cam.app.engine import Engine
    from video_cam.app.guard import RESULTS_PATH, Guard
    from video_cam.app.interface import mount_interface
    from video_cam.app.result_files import ResultFiles, send_archive
    from video_cam.app.view import ARCHIVE_PATH

    root = config.results.resolve()
    engine = Engine()
    routes = [
        Mount(RESULTS_PATH, ResultFiles(root)),
        Route(f"{ARCHIVE_PATH}/{{name:path}}", partial(send_archive, root)),
    ]
    # Without the documents of its interface, whose pages load scripts from another server.
    app = FastAPI(routes=routes, openapi_url=None)
    app.add_middleware(Guard, host=config.host)
    mount_interface(app, config, engine)
    settings = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_END, lifespan="on"
    )
    try:
        yield uvicorn.Server(settings)
    finally:
        engine.close()


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens at an address.

    Raises:
        UsageError: where it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            raise UsageError(
                f"cannot listen on port {port} of {host} ({error.strerror or error}): give another "
                "--port (0 for a free one) or --host"
            ) from error
        yield listener
