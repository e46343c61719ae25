"""Agents sign in, stay signed in, and sign out."""

from talkwire.accounts.errors import AccountUnknown
from talkwire.accounts.service import Accounts
from talkwire.audit.acts import Acts
from talkwire.audit.model import Act, Entry
from talkwire.identity.attempts import Attempts
from talkwire.identity.credentials import CredentialCheck, Credentials
from talkwire.identity.errors import CredentialsWrong, SamlNotSupported, TooManyAttempts
from talkwire.identity.model import Principal
from talkwire.identity.sessions import Revoked, Sessions, SignedIn
from talkwire.identity.users import AgentUser
from talkwire.kernel.ids import AccountId


class SignIn:
    """The door for agents and bots."""

    def __init__(
        self, accounts: Accounts, check: CredentialCheck, attempts: Attempts, sessions: Sessions, acts: Acts
    ) -> None:
        self._accounts = accounts
        self._check = check
        self._attempts = attempts
        self._sessions = sessions
        self._acts = acts

    def on_revoked(self, listener: Revoked) -> None:
        """Be told the id of every session that was ended before its time, to close its sockets (4401)."""
        self._sessions.on_revoked(listener)

    async def sign_in(self, account_id: AccountId, credentials: Credentials, address: str) -> SignedIn:
        """Open a session. Raises CredentialsIncomplete, CredentialsWrong, TooManyAttempts, AccountUnknown."""
        if credentials.assertion is not None:
            raise SamlNotSupported
        if await self._accounts.find(account_id) is None:
            raise AccountUnknown
        agent = await self._admit(account_id, credentials, address)
        self._attempts.succeeded(account_id, credentials.name, address)
        signed_in = await self._sessions.open(agent)
        await self._acts.record(
            Entry(
                account_id, Act.SIGNED_IN, agent.login_name, actor=agent.id, detail={"by": credentials.kind}
            )
        )
        return signed_in

    async def refresh(self, account_id: AccountId, cookie: str, csrf: str) -> None:
        """Start the idle time anew. Bearer and csrf token stay as they are. Raises CsrfWrong.

        COMPAT: clients keep the csrf token of the sign-in for good (node-agent-sdk).
        """
        session = await self._sessions.find_by_cookie(account_id, cookie, csrf)
        await self._sessions.refresh(session)

    async def sign_out(
        self, account_id: AccountId, cookie: str, csrf: str, bearer: str | None = None
    ) -> None:
        """End a session, known by cookie and csrf token or by its bearer. Raises CsrfWrong, SessionEnded."""
        if bearer:
            who = await self._sessions.principal_of_bearer(account_id, bearer)
            await self._sessions.end(account_id, who.session_id)
            return
        session = await self._sessions.find_by_cookie(account_id, cookie, csrf)
        await self._sessions.end(account_id, session.session_id)

    async def principal_of_bearer(self, account_id: AccountId, bearer: str) -> Principal:
        """Who a bearer stands for, from memory after its first use. Raises SessionEnded."""
        return await self._sessions.principal_of_bearer(account_id, bearer)

    @property
    def keep_alive_ms(self) -> int:
        """Often enough, and not too often, to say that a socket is in use."""
        return self._sessions.touch_ms

    async def keep_alive(self, who: Principal) -> Principal:
        """Count a socket's traffic as use; the principal as it is now. Raises SessionEnded.

        Call it when frames came, at most every `keep_alive_ms` per socket.
        """
        return await self._sessions.use(who.account_id, who.session_id)

    async def _admit(self, account_id: AccountId, credentials: Credentials, address: str) -> AgentUser:
        """Refusals are recorded: each that cost us a look at the password, and the first that did not."""
        name = credentials.name
        try:
            self._attempts.begin(account_id, name, address)
        except TooManyAttempts:
            if self._attempts.is_first_told_to_wait(account_id, name, address):
                await self._tell_refused(account_id, name, "too many attempts")
            raise
        try:
            return await self._check.get_agent(account_id, credentials)
        except CredentialsWrong:
            await self._tell_refused(account_id, name, "wrong credentials")
            raise

    async def _tell_refused(self, account_id: AccountId, name: str, reason: str) -> None:
        """A name that is nobody's is not recorded: people type passwords into the wrong field."""
        subject = name if await self._check.is_known(account_id, name) else "nobody's name"
        await self._acts.record(Entry(account_id, Act.SIGN_IN_REFUSED, subject, detail={"reason": reason}))
