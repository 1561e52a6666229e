"""The review: pages in the browser on which a person checks a finished run and mends it.

`review(out)` serves them on this machine. What a person decides goes to an append-only log in the
run's private state, and with "apply" into the pictures, made by the same job as `anonymize`.
"""
