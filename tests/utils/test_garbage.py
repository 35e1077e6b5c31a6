"""What a process makes while it starts is left out of collections, where the process allows it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from video_cam.batch import local, network
from video_cam.batch.jobs import Job
from video_cam.batch.run_config import RunConfig
from video_cam.errors import UsageError
from video_cam.utils import garbage
from video_cam.utils.garbage import leave_out_start_up, start_up_uncollected
from video_cam.utils.reporter import SilentReporter


class Cycle:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process of the command; the collector is as before afterwards."""
    monkeypatch.setattr(garbage, "_is_allowed", False)
    leave_out_start_up()
    yield
    gc.unfreeze()


def test_nothing_is_collected_in_the_block_and_nothing_of_it_afterwards(own_process: None) -> None:
    with start_up_uncollected():
        assert not gc.isenabled()
        of_start = weakref.ref(Cycle())
    assert gc.isenabled()
    later = weakref.ref(Cycle())
    gc.collect()
    assert of_start() is not None and later() is None


def test_the_collector_is_as_before_after_an_error(own_process: None) -> None:
    with pytest.raises(UsageError), start_up_uncollected():
        raise UsageError("a wrong option")
    assert gc.isenabled()


def test_a_process_that_switched_it_off_keeps_it_off(own_process: None) -> None:
    gc.disable()
    try:
        with start_up_uncollected():
            pass
        assert not gc.isenabled() and gc.get_freeze_count() == 0
    finally:
        gc.enable()


def test_other_processes_are_left_alone() -> None:
    with start_up_uncollected():
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_the_network_of_a_single_clip_is_loaded_in_such_a_block(
    own_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_explainer(*arguments: object) -> None:
        raise UsageError(f"collector on: {gc.isenabled()}")

    monkeypatch.setattr(network, "load_explainer", load_explainer)
    with pytest.raises(UsageError, match="collector on: False"):
        local.run_in_this_process(Job("v.mp4", "v"), RunConfig(), SilentReporter())
    assert gc.isenabled() and gc.get_freeze_count() > 0
