"""Files of Hugging Face's transformers: from a local folder, the cache, or the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_cam.errors import UsageError, first_line
from video_cam.models.weights import WeightsUnavailable, why_no_download


def damaged(name: str, error: Exception) -> UsageError:
    """The error for a repository whose files hold other entries than expected."""
    return UsageError(
        f"{name!r} cannot be used ({type(error).__name__}: {first_line(error)}): expected files as "
        "save_pretrained writes them"
    )


@contextmanager
def reading_files(name: str) -> Iterator[None]:
    """Turns what damaged files make the readers raise into one line; transformers is quiet."""
    try:
        with quiet_transformers():
            yield
    except UsageError:
        raise
    except Exception as error:  # configuration files with other entries than expected
        raise damaged(name, error) from error


def built(name: str, network_class: Any, config: Any) -> Any:
    """A network with random weights.

    Args:
        name: for the message of an error.
        network_class: of transformers, with ``from_config``.

    Raises:
        UsageError: for a configuration that no network can be built from.
    """
    try:
        with quiet_transformers():
            return network_class.from_config(config, trust_remote_code=False)
    except Exception as error:  # a configuration can ask for anything
        raise UsageError(f"{name!r} cannot be built: {first_line(error)}") from error


def from_disk_or_hub(name: str, load: Callable[..., Any], file: str = "config.json") -> Any:
    """What ``load`` reads: from the disk, else from the hub.

    Args:
        name: a folder, or owner/name on the hub.
        load: takes ``local_files_only``.
        file: that is looked for on the hub, to tell at once that there is no connection.

    Raises:
        UsageError: for a folder that cannot be loaded.
        WeightsUnavailable: for a name that is neither on disk nor can be downloaded.
    """
    try:
        with quiet_transformers():
            return load(local_files_only=True)
    except Exception as error:  # damaged files make the readers raise anything
        if Path(name).is_dir():
            raise UsageError(f"{name!r} cannot be loaded: {first_line(error)}") from error
    # The hub's client tries for half a minute before it reports that there is no connection.
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    reason = why_no_download(f"{address}/{name}/raw/main/{file}")
    if reason is None:
        try:
            return load(local_files_only=False)
        except (OSError, ValueError, RuntimeError) as error:
            reason = first_line(error)
    raise WeightsUnavailable(
        f"{name!r} is neither on disk nor available from the Hugging Face hub ({reason})"
    )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No warnings and progress bars of transformers inside the block; afterwards as before.

    They speak of files and of classes of its own, and what matters is checked here.
    """
    logging = import_transformers().utils.logging
    import huggingface_hub.utils as hub

    verbosity = logging.get_verbosity()
    bars, hub_bars = logging.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()  # those of the hub's downloads, too
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
        (hub.enable_progress_bars if hub_bars else hub.disable_progress_bars)()


def import_transformers() -> Any:
    """The package. Raises UsageError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            "networks of the Hugging Face hub need the package transformers: pip install "
            "transformers"
        ) from error
    return transformers
