"""Looks for malware in bytes as they came, before anything else touches them."""
