"""What PostgreSQL's and asyncpg's errors mean to us."""

import asyncpg

from talkwire.backends.database.port import AlreadyExists
from talkwire.kernel.errors import Invalid, StorageFull, TalkwireError, Unavailable

AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,
)
"""The transaction was rolled back through no fault of its own."""

LOST = (
    OSError,  # also TimeoutError, and ConnectionError
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
)
"""The connection is gone, or there is none to be had."""

_STRAINED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
)


def meaning_of(error: BaseException) -> BaseException:
    """The error as one of ours; what is none of ours comes back as it is."""
    if isinstance(error, TalkwireError):
        return error
    if isinstance(error, asyncpg.UniqueViolationError):
        return AlreadyExists(error.detail or "The key exists already.")
    if isinstance(error, asyncpg.DataError):
        return Invalid("A value cannot be stored")
    if isinstance(error, asyncpg.DiskFullError):
        return StorageFull("The database's disk is full.")
    if isinstance(error, LOST + AGAIN + _STRAINED):
        return Unavailable("The database cannot be reached now.")
    return error
