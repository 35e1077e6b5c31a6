"""Speed and memory of maps and of whole commands, as ratios within one run.

Every module is a script, ``python -m benchmarks.speed.<name>``, but ``ratios``, and ``stage_times``,
``device_run`` and ``network_costs``, which are parts of ``gpu``.
"""
