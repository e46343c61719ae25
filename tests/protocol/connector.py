"""A connector over HTTP, for tests: an app of a brand, its tokens, and calls as clients make them."""

import io
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from protocol.stage import Cast, Json, Stage, new_cast
from talkwire.connectors.model import AppDraft, Webhook

CONVERSATION = "messaging/consumer/conversation"
_ids = itertools.count(1)

PROFILE: Json = {
    "kind": "req",
    "id": "1,",
    "type": "userprofile.SetUserProfile",
    "body": {
        "authenticatedData": {
            "lp_sdes": [
                {"type": "ctmrinfo", "info": {"socialId": "1234567890", "ctype": "vip"}},
                {"type": "personal", "personal": {"firstname": "John", "lastname": "Doe", "gender": "MALE"}},
            ]
        }
    },
}


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def number(self) -> int:
        """`errorCode` of a refusal, which always has the shape of one."""
        assert (self.body["kind"], self.body["type"]) == ("resp", ".ReqBody$ErrorResp"), self.body
        assert self.body["code"] == self.status
        assert self.body["body"]["title"]
        assert self.body["body"]["details"]
        return int(self.body["body"]["errorCode"])


@dataclass
class Connector:
    """One app of a brand. `app_token` is fetched once; consumers by their external id."""

    cast: Cast
    client_id: str
    secret: str
    app_token: str = ""
    consumers: dict[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        return self.cast.stage

    def url(self, path: str, prefix: str = "") -> str:
        return f"http://{self.stage.address}{prefix}/api/account/{self.cast.account}/{path}"

    async def call(self, method: str, url: str, **options: Any) -> Answer:
        async with self.stage.http.request(method, url, **options) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json" and raw
            return Answer(response.status, dict(response.headers), json.loads(raw) if is_json else raw)

    async def ask_token(self, **parameters: str) -> Answer:
        query = {
            "v": "1.0", "grant_type": "client_credentials", "client_id": self.client_id,
            "client_secret": self.secret, **parameters,
        }  # fmt: skip
        return await self.call("POST", self.url("app/token", "/sentinel"), params=query)

    async def token(self) -> str:
        if not self.app_token:
            answer = await self.ask_token()
            assert answer.status == 200, answer
            self.app_token = answer.body["access_token"]
        return self.app_token

    async def consumer(self, external_id: str = "ann") -> str:
        """The ConsumerJWS for somebody."""
        if external_id not in self.consumers:
            answer = await self.call(
                "POST", self.url("consumer?v=1.0"), json={"ext_consumer_id": external_id},
                headers={"Authorization": await self.token()},
            )  # fmt: skip
            assert answer.status == 201, answer
            self.consumers[external_id] = answer.body["token"]
        return self.consumers[external_id]

    async def post(
        self, body: Any, path: str = "/send", query: str = "?v=3", by: str = "ann", **headers: str | None
    ) -> Answer:
        """A call of the Connector API. A header given as None is left out; `_` stands for `-`."""
        sent: dict[str, str | None] = {
            "Authorization": await self.token(),
            "X-LP-ON-BEHALF": await self.consumer(by),
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.call("POST", self.url(CONVERSATION + path + query), data=data, headers=kept)

    async def send(self, type_name: str, body: Any, **options: Any) -> Answer:
        return await self.post(
            {"kind": "req", "id": str(next(_ids)), "type": type_name, "body": body}, **options
        )

    def opening(self, id_: object = "2,", **body: Any) -> Json:
        """The request for a conversation, as published examples have it."""
        return {
            "kind": "req",
            "id": id_,
            "type": "cm.ConsumerRequestConversation",
            "body": {
                "ttrDefName": "NORMAL", "channelType": "MESSAGING", "brandId": self.cast.account, **body
            },
        }  # fmt: skip

    async def open(self, by: str = "ann", **body: Any) -> str:
        """A conversation of somebody's; gives its id."""
        answer = await self.post([PROFILE, self.opening(**body)], path="", by=by)
        assert answer.status == 200, answer
        conversation_id: str = answer.body[1]["body"]["conversationId"]
        return conversation_id

    async def say(self, conversation_id: str, text: str = "hello", **options: Any) -> Answer:
        return await self.send("ms.PublishEvent", publish(conversation_id, text), **options)


def publish(dialog_id: str, text: str) -> Json:
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
    return {"dialogId": dialog_id, "event": event}


async def install(cast: Cast, name: str = "sms", **draft: Any) -> Connector:
    """An app of a brand, made without HTTP."""
    made = await cast.stage.node.apps.create(cast.account, AppDraft(name=name, **draft))
    return Connector(cast, made.app.client_id, made.secret)


async def new_connector(stage: Stage) -> Connector:
    """An app of a brand of its own."""
    return await install(await new_cast(stage))


async def count_rows(stage: Stage, table: str, account: str) -> int:
    """What the database holds of a brand in one table."""
    rows = await stage.node.database.read(f"SELECT COUNT(*) AS n FROM {table} WHERE account_id = $1", account)
    return int(rows[0]["n"])


def hook(endpoint: str = "https://hooks.example/in", **members: Any) -> Webhook:
    return Webhook(endpoint, **members)
