"""What processes of a run do with a clip: all of it, or one of the three stages of a cluster.

    PREPARE  a processor  is it finished? if not, read the frames that the network is given
    EXPLAIN  the network  frames -> explanation, with its checks
    DRAW     a processor  clip and explanation -> results in the store

Jobs pass from one to the next in pickled form: PyTorch is imported only by the processes that work.
"""

from __future__ import annotations

from dataclasses import dataclass

from video_cam.batch.jobs import Job

WHOLE, PREPARE, EXPLAIN, DRAW = "whole", "prepare", "explain", "draw"


@dataclass(frozen=True)
class Stage:
    """What a worker process does.

    Attributes:
        name: WHOLE, PREPARE, EXPLAIN or DRAW.
        facts: a pickled ``NetworkFacts`` for processes without the network, else empty.
    """

    name: str = WHOLE
    facts: bytes = b""


WHOLE_CLIPS = Stage()


@dataclass(frozen=True)
class StagedJob:
    """A job on its way from one stage to the next.

    Attributes:
        job: the clip.
        digest: its fingerprint.
        seconds: that earlier stages took.
        content: what they found, pickled: a PreparedClip (None for a clip that is too long), or an
            ExplainedClip.
    """

    job: Job
    digest: str
    seconds: float
    content: bytes


Task = Job | StagedJob


def job_of(task: Task) -> Job:
    """The job itself."""
    return task if isinstance(task, Job) else task.job


def seconds_before(task: Task) -> float:
    """How long earlier stages took."""
    return 0.0 if isinstance(task, Job) else task.seconds
