"""How agents stand now: their state and how much they hold. Source: docs/protocol.md 9.10, agent status."""

from collections.abc import Mapping
from typing import Any, Protocol

from talkwire.backends.database.port import Database
from talkwire.history import search_rules as rules
from talkwire.history.records import time_of
from talkwire.identity.model import Principal
from talkwire.identity.users import AgentUser
from talkwire.kernel.errors import NotAllowed
from talkwire.kernel.ids import AccountId
from talkwire.routing import store
from talkwire.routing.model import AgentState


class Users(Protocol):
    async def list_users(self, account_id: AccountId) -> list[AgentUser]: ...


class AgentView:
    """For managers and administrators the whole account; anybody else sees itself."""

    def __init__(self, database: Database, users: Users) -> None:
        self._database = database
        self._users = users

    async def list_states(self, who: Principal, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Records of the agents meant, of all without a filter. Raises SearchInvalid, NotAllowed."""
        if who.is_consumer:
            raise NotAllowed("Only agents see how agents stand")
        wanted = set(rules.texts_of(filters.get("agentIds"), "agentIds"))
        statuses = {status.upper() for status in rules.texts_of(filters.get("status"), "status")}
        states = {state.agent_id: state for state in await store.list_states(self._database, who.account_id)}
        loads = await store.loads(self._database, who.account_id)
        records = [
            _record(user, states.get(user.id), loads.get(user.id, 0))
            for user in await self._users.list_users(who.account_id)
            if (rules.sees_all(who) or user.id == who.id)
            and (not wanted or wanted & {user.id, user.user_id, user.old_id})
        ]
        return [record for record in records if not statuses or record["currentStatus"] in statuses]


def _record(user: AgentUser, state: AgentState | None, held: int) -> dict[str, Any]:
    since_ms = state.updated_at_ms if state else user.updated_at_ms
    return {
        "agentId": user.user_id,
        "agentPid": user.id,
        "agentLoginName": user.login_name,
        "agentName": user.full_name,
        "agentNickname": user.nickname,
        "employeeId": user.employee_id,
        "agentGroupId": -1,
        "agentGroupName": "Unassigned",
        "currentStatus": state.availability.value if state else "OFFLINE",
        "currentStatusReasonCode": "",
        "currentStatusReasonText": state.description if state else "",
        "currentStatusStartTime": time_of(since_ms),
        "currentStatusStartTimeL": since_ms,
        "skills": [{"skillId": int(skill)} for skill in user.skills if skill.isdecimal()],
        "maxSlots": user.max_conversations,
        "busySlots": held,
    }
