"""Settings of the app that hold until it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from video_cam.batch.run_config import RunConfig
from video_cam.errors import UsageError
from video_cam.utils.names import check_positive

UPLOADS = ".uploads"  # in the output folder; removed when the app ends
MAX_PORT = 65535


@dataclass(frozen=True)
class AppConfig:
    """How the app runs.

    Attributes:
        run: what holds for every explanation, as the command's options say it; the form changes
            what it shows.
        host: the address that the app listens on; 127.0.0.1 for this machine only.
        port: the port; 0 for a free one.
        max_upload: of a file, in bytes.
        show: open the app in a browser when it has started.
    """

    run: RunConfig = field(default_factory=RunConfig)
    host: str = "127.0.0.1"
    port: int = 7860
    max_upload: int = 2**30
    show: bool = False

    def __post_init__(self) -> None:
        check_positive(self, ("max_upload",))
        if not 0 <= self.port <= MAX_PORT:
            raise UsageError(f"port {self.port} must lie between 0 and {MAX_PORT}")
        if "://" in self.run.output_dir:
            raise UsageError(
                f"--output-dir {self.run.output_dir!r} is an address, and the app shows results "
                "from a folder: give one"
            )
        if self.run.engine != "local":
            raise UsageError(
                f"--engine {self.run.engine}: the app explains one clip at a time on this machine; "
                "leave it out"
            )

    @property
    def results(self) -> Path:
        """The folder that holds a folder for each clip."""
        return Path(self.run.output_dir)

    @property
    def uploads(self) -> Path:
        """The folder of files that were uploaded, and of clips that were drawn."""
        return self.results / UPLOADS
