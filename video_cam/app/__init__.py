"""The app in the browser: a form, one explanation at a time, the results in place.

Thin over ``batch``: what the form says becomes a RunConfig, a worker process runs it, and the page
shows the files that it wrote. Nothing is loaded from other servers.
"""
