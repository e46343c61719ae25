"""What keeps a node running: the worker that runs jobs, logs without secrets, metrics, certificates.

Words: an *incident id* links what a client was answered to the log line that says what went wrong; a
*bundle* is the system's certificate authorities together with ours.
"""
