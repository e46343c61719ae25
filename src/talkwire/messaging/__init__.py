"""Publishing events to the log of a dialog, telling who listens, and catching up.

Words: an *event* is stored and has a *sequence*; a *chat state* is told live and has none; the *hub* knows who
listens; a *subscription* catches up from a sequence and then goes live; a *feed* tells of conversations.
"""
