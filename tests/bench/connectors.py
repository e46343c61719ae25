"""A connector for the figures: the demo's app, its consumers, their conversations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.server import Talkwire
from bench.web import Answer, Connection, HttpFailed

_numbers = itertools.count()


@dataclass
class ConnectorTalk:
    """One consumer of the app in one conversation, with a connection of its own."""

    http: Connection
    account: str
    app_token: str
    consumer_token: str
    conversation_id: str = ""
    sent: int = 0

    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Authorization": self.app_token,
            "X-LP-ON-BEHALF": self.consumer_token,
        }

    async def open(self) -> None:
        body = [
            {
                "kind": "req",
                "id": "1",
                "type": "userprofile.SetUserProfile",
                "body": {"authenticatedData": {}},
            },
            {
                "kind": "req",
                "id": "2",
                "type": "cm.ConsumerRequestConversation",
                "body": {"brandId": self.account},
            },
        ]
        answer = await self._post("conversation?v=3", msgspec.json.encode(body))
        self.conversation_id = msgspec.json.decode(answer.body)[1]["body"]["conversationId"]

    async def send(self, text: str) -> int:
        """Send a text; its sequence. Raises HttpFailed."""
        answer = await self._post("conversation/send?v=3", self.text(text))
        self.sent += 1
        return int(msgspec.json.decode(answer.body)["body"]["sequence"])

    def text(self, text: str) -> bytes:
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        body = {"dialogId": self.conversation_id, "event": event}
        return msgspec.json.encode({"kind": "req", "id": "1", "type": "ms.PublishEvent", "body": body})

    async def _post(self, rest: str, body: bytes) -> Answer:
        path = f"/api/account/{self.account}/messaging/consumer/{rest}"
        answer = await self.http.request("POST", path, body, self.headers())
        if answer.status != 200:
            raise HttpFailed(f"{rest}: {answer.status} {answer.body[:300]!r}")
        return answer


async def app_token(server: Talkwire, connection: Connection) -> str:
    names = server.names
    query = f"client_id={names['LP_APP_CLIENT_ID']}&client_secret={names['LP_APP_CLIENT_SECRET']}"
    path = f"/sentinel/api/account/{server.account}/app/token?v=1.0&grant_type=client_credentials&{query}"
    return str((await connection.call("POST", path))["access_token"])


async def connector_talks(server: Talkwire, count: int) -> list[ConnectorTalk]:
    """Bring `count` consumers of the demo's app into a conversation each."""
    setting_up = await server.connect()
    token = await app_token(server, setting_up)
    talks = []
    for _ in range(count):
        path = f"/api/account/{server.account}/consumer?v=1.0"
        answer = await setting_up.call(
            "POST", path, {"ext_consumer_id": f"bench-{next(_numbers)}"}, Authorization=token
        )
        talk = ConnectorTalk(await server.connect(), server.account, token, str(answer["token"]))
        await talk.open()
        talks.append(talk)
    setting_up.close()
    return talks


async def set_webhooks(server: Talkwire, bearer: str, endpoint: str, retention_seconds: int = 3600) -> None:
    """Have the events of the demo's app delivered to `endpoint`; an empty one takes the webhooks away."""
    connection = await server.connect()
    client_id = server.names["LP_APP_CLIENT_ID"]
    path = f"/api/account/{server.account}/configuration/app-install/installations/{client_id}?v=1.0"
    app: dict[str, Any] = await connection.call("GET", path, None, bearer)
    events = ("ContentEvent", "AcceptStatusEvent", "RichContentEvent")
    hooks: dict[str, Any] = {
        f"ms.MessagingEventNotification.{event}": {"endpoint": endpoint} for event in events
    }
    hooks["retry"] = {"retention_time": retention_seconds}
    app["capabilities"] = {"webhooks": hooks if endpoint else {}}
    await connection.call("PUT", path, app, bearer, If_Match="-1")
    connection.close()
