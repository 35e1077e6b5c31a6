"""What processes of a run do with a clip: all of it, or one of three stages of it.

    read     a processor  is it finished? if not, the frames that the network is given
    explain  the network  frames -> explanation, with its checks
    draw     a processor  clip and explanation -> results in the store

A process with the network does all of a Job, and explains a StagedJob. A processor, which has no
network, reads a Job and draws a StagedJob. Jobs pass from one to the next in pickled form: PyTorch
is imported only by the processes that work.
"""

from __future__ import annotations

from dataclasses import dataclass

from video_cam.batch.jobs import Job


@dataclass(frozen=True)
class LoadedNetwork:
    """What a worker process says of the network that it has loaded.

    Attributes:
        place: where it runs: "cpu", "cuda:0", or a program such as ONNX Runtime with its provider.
        facts: a pickled ``NetworkFacts``, for processors.
    """

    place: str
    facts: bytes


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
