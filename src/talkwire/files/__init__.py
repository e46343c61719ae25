"""Upload slots, hosted files, who may download, publication. Retention and erasure come here.

Life of a file: slot → received → (verdict: clean or rejected) → published.

Words: *upload slot* (leave to PUT one file, for a minute), *temp URL* (relative path, signature, expiry),
*relative path* (a file's name on the wire, and its key in our tables), *preview* (a small picture sent
along with the event), *publication* (one event that shows a file in a conversation).
"""
