"""A small client of the Connector API: tokens, conversations, messages, files, and the proof of webhooks.

Everything here is public protocol; nothing of the server is imported.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp

Json = dict[str, Any]
SPARE_SECONDS = 60
CLOSE = {"field": "ConversationStateField", "conversationState": "CLOSE"}


class Refused(Exception):
    """The server said no."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status


@dataclass
class Channel:
    """One app of one account."""

    http: aiohttp.ClientSession
    csds: str
    account: str
    client_id: str
    client_secret: str
    hosts: dict[str, str] = field(default_factory=dict)
    token: str = ""
    token_ends_at: float = 0

    async def discover(self) -> None:
        """Ask the domain API where everything is."""
        url = f"https://{self.csds}/api/account/{self.account}/service/baseURI.json?version=1.0"
        found = await self._call("GET", url)
        self.hosts = {one["service"]: one["baseURI"] for one in found["baseURIs"]}

    async def subscribe(self, user: str, password: str, endpoint: str, events: list[str]) -> None:
        """Have these events delivered to us. Needs an administrator; done once is enough."""
        login = {"username": user, "password": password}
        bearer = (await self._call("POST", self._url("agentVep", "login?v=1.3"), json=login))["bearer"]
        path = f"configuration/app-install/installations/{self.client_id}?v=1.0"
        url, headers = self._url("accountConfigReadWrite", path), {"Authorization": f"Bearer {bearer}"}
        app = await self._call("GET", url, headers=headers)
        webhooks = {
            **{event: {"endpoint": endpoint} for event in events},
            "retry": {"retention_time": 86_400},
        }
        app["capabilities"] = {**app["capabilities"], "webhooks": webhooks}
        await self._call("PUT", url, json=app, headers={**headers, "If-Match": "-1"})

    async def consumer(self, name: str) -> str:
        """The token that lets us speak for somebody. It never ends: keep it."""
        headers = {"Authorization": await self._app_token()}
        body = {"ext_consumer_id": name}
        answer = await self._call("POST", self._url("idp", "consumer?v=1.0"), json=body, headers=headers)
        return str(answer["token"])

    async def open(self, consumer: str, profile: Json, key: str) -> str:
        """A new conversation; the same key twice opens one."""
        batch = [
            {"kind": "req", "id": "1", "type": "userprofile.SetUserProfile", "body": profile},
            {
                "kind": "req",
                "id": "2",
                "type": "cm.ConsumerRequestConversation",
                "body": {"brandId": self.account, "channelType": "MESSAGING", "ttrDefName": "NORMAL"},
            },
        ]
        answers = await self._post(consumer, "conversation", batch, key)
        return str(answers[1]["body"]["conversationId"])

    async def say(self, consumer: str, conversation: str, text: str, key: str = "") -> None:
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        await self._publish(consumer, conversation, event, key)

    async def accept(self, consumer: str, conversation: str, sequence: int) -> None:
        """Tell the agent that a message has reached the phone."""
        event = {"type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [sequence]}
        await self._publish(consumer, conversation, event)

    async def show(self, consumer: str, conversation: str, picture: bytes, file_type: str) -> None:
        """Upload a picture and publish it."""
        slot = await self._send(
            consumer, "ms.GenerateURLForUploadFile", {"fileSize": len(picture), "fileType": file_type}
        )
        async with self.http.put(self._storage(slot), params=slot["queryParams"], data=picture) as put:
            if put.status != HTTPStatus.CREATED:
                raise Refused(put.status, await put.text())
        message = {"relativePath": slot["relativePath"], "fileType": file_type, "caption": "MMS"}
        event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
        await self._publish(consumer, conversation, event)

    async def fetch(self, consumer: str, relative_path: str) -> tuple[bytes, str]:
        """A file that was shared with the consumer, and its content type."""
        slot = await self._send(consumer, "ms.GenerateURLForDownloadFile", {"relativePath": relative_path})
        async with self.http.get(self._storage(slot), params=slot["queryParams"]) as got:
            if got.status != HTTPStatus.OK:
                raise Refused(got.status, await got.text())
            return await got.read(), got.content_type

    async def close(self, consumer: str, conversation: str) -> None:
        body = {"conversationId": conversation, "conversationField": CLOSE}
        await self._send(consumer, "cm.UpdateConversationField", body)

    def is_genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a webhook comes from the server: only it and we know the secret."""
        digest = hmac.new(self.client_secret.encode(), body, hashlib.sha1).digest()
        expected = "sha1=" + base64.b64encode(digest).decode()
        return hmac.compare_digest(expected.encode(), headers.get("X-Liveperson-Signature", "").encode())

    async def _publish(self, consumer: str, conversation: str, event: Json, key: str = "") -> None:
        await self._send(consumer, "ms.PublishEvent", {"dialogId": conversation, "event": event}, key)

    async def _send(self, consumer: str, type_name: str, body: Json, key: str = "") -> Any:
        request = {"kind": "req", "id": "1", "type": type_name, "body": body}
        return (await self._post(consumer, "conversation/send", request, key))["body"]

    async def _post(self, consumer: str, path: str, body: Any, key: str = "") -> Any:
        headers = {"Authorization": await self._app_token(), "X-LP-ON-BEHALF": consumer}
        if key:
            headers["Idempotency-Key"] = key
        url = self._url("asyncMessagingEnt", f"messaging/consumer/{path}?v=3")
        return await self._call("POST", url, json=body, headers=headers)

    async def _app_token(self) -> str:
        """Our own token, a new one shortly before the old one ends."""
        if time.monotonic() >= self.token_ends_at:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
            }
            url = self._url("sentinel", "app/token?v=1.0", prefix="/sentinel")
            answer = await self._call("POST", url, data=form)
            self.token = answer["access_token"]
            self.token_ends_at = time.monotonic() + answer["expires_in"] - SPARE_SECONDS
        return self.token

    def _url(self, service: str, path: str, prefix: str = "") -> str:
        return f"https://{self.hosts[service]}{prefix}/api/account/{self.account}/{path}"

    def _storage(self, slot: Json) -> str:
        return f"https://{self.hosts['swift']}{slot['relativePath']}"

    async def _call(self, method: str, url: str, **options: Any) -> Any:
        async with self.http.request(method, url, **options) as response:
            raw = await response.read()
            answer = json.loads(raw) if raw else None
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise Refused(response.status, answer)
            return answer
