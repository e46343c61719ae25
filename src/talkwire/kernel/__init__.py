"""Small words that every room uses: ids, the clock, refusals, job declarations.

Imports nothing of ours.
"""
