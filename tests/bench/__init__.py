"""What does it cost? A load generator of our own, and the figures it measures.

Run by `make bench`. Words: a *figure* is one number we hold ourselves to; a *pair* is a consumer and an agent in one
conversation; an event is *delivered* when both have been sent it and its publisher has the answer; *in flight* counts a
pair's events published and not yet delivered.
"""
