"""Speed and memory of maps and of whole commands, as ratios within one run.

Every module is a script, ``python -m benchmarks.speed.<name>``, but ``ratios`` and the parts of
``gpu``: ``stage_times``, ``device_run`` and ``network_costs``.
"""
