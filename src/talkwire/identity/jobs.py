"""What identity cleans up by itself."""

from datetime import timedelta

from talkwire.accounts.service import Accounts
from talkwire.identity.sessions import Sessions
from talkwire.kernel.jobs import Job


def jobs(accounts: Accounts, sessions: Sessions) -> list[Job]:
    """Ended sessions go after at most an hour; they count as ended at once."""

    async def purge_sessions() -> None:
        for account in await accounts.list_accounts():
            await sessions.purge(account.account_id)

    return [Job("identity.purge_sessions", run=purge_sessions, every=timedelta(hours=1))]
