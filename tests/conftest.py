"""What is slow to make is made once: the bundled network, one explained and drawn clip.

Where the cells of small networks look is measured on one clip, not on as many as outside of tests:
the same code runs, in an eighth of the time. Tests of the result itself ask for ``all_clips``.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import video_cam
from clips.make_clips import SAMPLES
from tests.support import stand_in
from tests.support.long_files import rank
from video_cam import Classifier, Explanation
from video_cam.layers import measured_alignment
from video_cam.layers.cache import FOLDER_VARIABLE
from video_cam.models.registry import BUNDLED
from video_cam.utils.allocator import keep_freed_memory

if stand_in.available():
    stand_in.register()  # in every process, because a backward pass may come before its tests

gc.disable()  # until all tests are imported: of what they import nothing is garbage

CLIPS = Path(__file__).parent.parent / "clips"
CLIPS_TO_MEASURE = measured_alignment.CLIPS_FOR_SMALL_NETWORKS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: one that begins last keeps one process busy while the others wait."""
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish() -> None:
    """From here on garbage is collected, and not looked for in what has been imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _process() -> None:
    keep_freed_memory()
    # Threads that wait for one another make tiny convolutions a hundred times slower on a busy
    # machine, and not faster on an idle one.
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the commands that tests start
    measured_alignment.CLIPS_FOR_SMALL_NETWORKS = 1


@pytest.fixture(autouse=True)
def _scheduling() -> Iterator[None]:
    """SVT-AV1, run by root, makes the process a real-time one, which starves all others."""
    yield
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for all processes: what one has learned of a network, the others read."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ[FOLDER_VARIABLE] = str(folder / "network_cache")


@pytest.fixture(scope="module")
def all_clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Cells are measured on all clips, and what is learned of networks is kept from other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured_alignment, "CLIPS_FOR_SMALL_NETWORKS", CLIPS_TO_MEASURE)
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("network_cache")))
        yield


@pytest.fixture(scope="session")
def bundled() -> Classifier:
    """The bundled network with its own weights."""
    return video_cam.load_model(BUNDLED)


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    """One of the project's own clips."""
    return CLIPS / f"{next(iter(SAMPLES))}.mp4"


@pytest.fixture(scope="session")
def explanation(bundled: Classifier, sample_clip: Path) -> Explanation:
    """The bundled network on the sample clip, with two layers and two methods."""
    return video_cam.explain(
        sample_clip,
        bundled,
        layers=["layer4", "layer3"],
        methods=["gradcam", "layercam"],
        detail="none",
    )


@pytest.fixture(scope="session")
def results(explanation: Explanation, sample_clip: Path, tmp_path_factory) -> Path:
    """The folder that render writes for the sample clip, with all keyframes."""
    folder = tmp_path_factory.mktemp("results") / "clip"
    video_cam.render(sample_clip, explanation, folder, max_keyframes=0)
    return folder
