"""Who is who: agents and bots, consumers, sign-in, bearer tokens and JWTs, profiles and privileges.

Words: a *principal* is who asks; a *profile* is a named set of privileges; a *PId* is an agent's UUID,
the *old id* is `{account}.{user id}`; a *bearer* is what an agent's sign-in yields.
"""
