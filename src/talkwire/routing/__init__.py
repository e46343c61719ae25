"""Who answers: skills, agent states, rings, assignment, transfer, and the fields of a conversation.

Words: a *ring* is an offer of one conversation to one agent, open for 72 seconds; the *queue* is every
conversation that waits for an agent; a *transfer* is a conversation that an agent had before, or that
was suggested to one.
"""
