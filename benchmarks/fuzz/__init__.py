"""Fuzzing: every parser of this project reads damaged files in a process with limits.

The command is ``python -m benchmarks.fuzz``. A parser may return a result or raise one of the
project's errors with a message of one line; everything else is a fault.
"""
