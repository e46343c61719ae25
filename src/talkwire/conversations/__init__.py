"""Conversations, their dialogs and participants, and the states these go through.

Words: *state* is the state of the MAIN dialog, *stage* that of the whole conversation; a *view* is the
bounded in-memory picture of one conversation on which requests are judged.
"""
