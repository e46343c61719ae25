"""Compares a server that came back with what it had acknowledged before it went."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from fault.ledger import Publish, Round, Talk, Upload, complaints
from fault.load import Employee, send_opening, send_publish
from fault.wire import Json, Line, Socket, open_socket
from pictures import pixels_of

PAGE = 1000
JUDGED_SECONDS = 60


class Verdict:
    """Asks one server about one round; what is wrong is collected in `said`."""

    def __init__(self, line: Line, round_: Round, employees: Sequence[Employee], nobodys_skill: str) -> None:
        self.line, self.round = line, round_
        self.said: list[str] = []
        self._employees = employees
        self._nobodys_skill = nobodys_skill
        self._sockets: dict[str, Socket] = {}
        self._snapshots: asyncio.Queue[Json] = asyncio.Queue()

    async def open(self) -> None:
        """A socket for everybody who took part, with the tokens of before the crash."""
        for employee in self._employees:
            self._sockets[employee.pid] = await open_socket(
                self.line, f"brand/{employee.bearer}?v=2.1", heard=self._hear
            )
        for consumer_id, jwt in self.round.jwts.items():
            self._sockets[consumer_id] = await open_socket(self.line, "consumer?v=3", jwt=jwt)

    async def close(self) -> None:
        for socket in self._sockets.values():
            await socket.close()

    @property
    def _overseer(self) -> Socket:
        """The administrator sees all conversations and all of each log."""
        return self._sockets[next(e.pid for e in self._employees if e.name == "administrator")]

    # --- what must hold at any time ---------------------------------------------------------------

    async def compare(self, *, files: int = 1_000) -> None:
        """Logs, files (up to so many) and conversations are as acknowledged."""
        shown: dict[str, str] = {}
        for talk in self.round.known_talks:
            events = await self._log_of(talk)
            sent = [p for p in self.round.publishes if p.dialog_id == talk.id]
            self.said += complaints(events, sent, talk.id)
            shown |= {path: talk.id for path in map(_path_of, events) if path}
        await self._compare_files(shown, files)
        await self._compare_conversations()

    async def _log_of(self, talk: Talk) -> list[Json]:
        events: list[Json] = []
        while True:
            query = {"dialogId": talk.id, "newerThanSequence": len(events), "maxQuantity": PAGE}
            page = (await self._overseer.ask("ms.QueryMessages", query)).expect()
            events += page
            if len(page) < PAGE:
                return events

    async def _compare_files(self, shown: dict[str, str], most: int) -> None:
        uploads = {upload.path: upload for upload in self.round.uploads}
        self.said += [
            f"{path} in {where} was never uploaded" for path, where in shown.items() if path not in uploads
        ]
        for path in list(shown)[:most]:
            if path in uploads and uploads[path].by in self._sockets:
                await self._compare_file(uploads[path], self._sockets[uploads[path].by], "published")
        kept = [upload for upload in uploads.values() if upload.is_kept and upload.path not in shown]
        for upload in kept[:most]:
            if upload.by in self._sockets:
                await self._compare_file(upload, self._sockets[upload.by], "answered 201")

    async def _compare_file(self, upload: Upload, reader: Socket, why: str) -> None:
        status, body = 503, b""
        async with asyncio.timeout(JUDGED_SECONDS):
            while status == 503:  # what a node had in hand when it died is judged by another a little later
                slot = await reader.ask("ms.GenerateURLForDownloadFile", {"relativePath": upload.path})
                if not slot.is_ok:
                    self.said.append(f"{upload.path}, {why}, has no download URL: {slot}")
                    return
                where, query = self.line.storage_url(upload.path), slot.body["queryParams"]
                status, body = await self.line.call("GET", where, params=query)
        if status != 200 or pixels_of(body) != pixels_of(upload.data):
            said = f"{status}, {len(body)} bytes of {len(upload.data)}"
            self.said.append(f"{upload.path}, {why}, is not what was sent: {said}")

    async def _compare_conversations(self) -> None:
        by_consumer = await self._conversations_of({talk.consumer_id for talk in self.round.talks})
        for consumer_id, found in by_consumer.items():
            talks = [talk for talk in self.round.talks if talk.consumer_id == consumer_id]
            for talk in talks:
                self._compare_talk(talk, [c for c in found if c["context"].get("name") == talk.token])
            tokens = {talk.token for talk in talks}
            self.said += [f"nobody opened {c}" for c in found if c["context"].get("name") not in tokens]

    async def _conversations_of(self, consumer_ids: Iterable[str]) -> dict[str, list[Json]]:
        """The details of all their conversations: one subscription each, for its first notification."""
        subscribed: dict[str, str] = {}
        for consumer_id in consumer_ids:
            query = {"convState": ["OPEN", "CLOSE"], "consumerId": consumer_id}
            answer = await self._overseer.ask("cqm.SubscribeExConversations", query)
            subscribed[answer.expect()["subscriptionId"]] = consumer_id
        found: dict[str, list[Json]] = {}
        async with asyncio.timeout(20):
            while len(found) < len(subscribed):
                snapshot = await self._snapshots.get()
                consumer_id = subscribed.get(snapshot["subscriptionId"], "")
                if consumer_id and consumer_id not in found:
                    found[consumer_id] = [c["result"]["conversationDetails"] for c in snapshot["changes"]]
        for subscription_id in subscribed:
            await self._overseer.ask("cqm.UnsubscribeExConversations", {"subscriptionId": subscription_id})
        return found

    def _compare_talk(self, talk: Talk, found: Sequence[Json]) -> None:
        if talk.is_refused and not talk.id and found:
            self.said.append(f"{talk} was refused and is there")
        if len(found) > 1 or (talk.id and [c["convId"] for c in found] != [talk.id]):
            self.said.append(f"{talk} was opened {len(found)} times: {[c['convId'] for c in found]}")
            return
        for details in found:
            assigned = (details["participantsPId"].get("ASSIGNED_AGENT") or [""])[0]
            self._one_of(talk, "closed", details["state"] == "CLOSE", talk.is_closed.possible)
            self._one_of(talk, "note", details["note"], talk.note.possible)
            self._one_of(talk, "assigned agent", assigned, talk.agent.possible)
            transferred = details["note"].startswith("transfer")
            if transferred != (details["skillId"] == self._nobodys_skill) or (transferred and assigned):
                self.said.append(f"{talk.id}: half a transfer: {details}")

    def _one_of(self, talk: Talk, what: str, value: Any, possible: Sequence[Any]) -> None:
        if value not in possible:
            self.said.append(f"{talk.id}: {what} is {value!r}, acknowledged is one of {possible}")

    # --- once, right after the crash --------------------------------------------------------------

    async def ask_again(self) -> None:
        """What was sent with an idempotency key and is sent again comes to the same."""
        for talk in self.round.talks:
            answer = (await send_opening(self._sockets[talk.consumer_id], talk)).expect()
            if talk.id and answer["conversationId"] != talk.id:
                self.said.append(f"{talk} was opened again as {answer['conversationId']}")
            talk.id = answer["conversationId"]
        await self._put_again()
        keyed = [p for p in self.round.publishes if p.key and (p.code is None or p.is_acknowledged)]
        await asyncio.gather(*(self._publish_again(p) for p in keyed))

    async def _publish_again(self, publish: Publish) -> None:
        before = publish.sequence if publish.is_acknowledged else None
        answer = await (await send_publish(self._sockets[publish.by], publish))
        if before is not None and (not answer.is_ok or answer.body["sequence"] != before):
            self.said.append(f"{publish} was sent again and answered {answer}")

    async def _put_again(self) -> None:
        """The same bytes to the same slot, within its minute: 201 again, or for the first time."""
        for upload in self.round.uploads:
            status = await self.line.put(upload.slot, upload.data)
            if status != 201:
                self.said.append(f"{upload} was put again and answered {status}")
            upload.is_kept = True

    async def compare_names(self) -> None:
        """Consumers are called as they said."""
        for consumer_id, names in self.round.profiles.items():
            answer = await self._overseer.ask("userprofile.GetUserProfile", {"userId": consumer_id})
            name = answer.body.get("firstName", "") if answer.is_ok else ""
            if name not in names.possible:
                self.said.append(f"{consumer_id} is called {name!r}, acknowledged is one of {names.possible}")

    async def compare_replay(self, talk: Talk) -> None:
        """What its consumer is told from the start is the log without what is private."""
        heard: list[Json] = []
        done = asyncio.Event()
        expected = [e for e in await self._log_of(talk) if e.get("messageAudience", "ALL") == "ALL"]

        def hear(notification: Json) -> None:
            if notification["type"] == "ms.MessagingEventNotification":
                heard.extend(notification["body"]["changes"])
            if len(heard) >= len(expected):
                done.set()

        socket = await open_socket(
            self.line, "consumer?v=3", jwt=self.round.jwts[talk.consumer_id], heard=hear
        )
        try:
            (await socket.ask("ms.SubscribeMessagingEvents", {"dialogId": talk.id})).expect()
            async with asyncio.timeout(20):
                await done.wait()
        except TimeoutError:
            self.said.append(f"{talk.id}: its consumer heard {len(heard)} of {len(expected)} events")
        finally:
            await socket.close()
        if [e["sequence"] for e in heard] != [e["sequence"] for e in expected]:
            self.said.append(f"{talk.id}: its consumer heard {[e['sequence'] for e in heard]}")

    async def close_talks(self) -> None:
        """End the round: everything that is open is closed, and has to stay so."""
        for talk in self.round.known_talks:
            if talk.is_closed.possible == [True]:
                continue
            close = {"field": "ConversationStateField", "conversationState": "CLOSE"}
            body = {"conversationId": talk.id, "conversationField": close}
            number = talk.is_closed.ask(True)
            await self._sockets[talk.consumer_id].ask("cm.UpdateConversationField", body)
            talk.is_closed.acknowledge(number)

    def _hear(self, notification: Json) -> None:
        if notification["type"].endswith("ExConversationChangeNotification"):
            self._snapshots.put_nowait(notification["body"])


async def verify(line: Line, round_: Round, employees: Sequence[Employee], skill: str) -> list[str]:
    """All that the round was told still holds, and holds when everything is sent once more."""
    verdict = Verdict(line, round_, employees, skill)
    await verdict.open()
    try:
        await verdict.compare()
        await verdict.compare_names()
        await verdict.ask_again()
        await verdict.close_talks()
        await verdict.compare()
        for talk in round_.known_talks[:1]:
            await verdict.compare_replay(talk)
    finally:
        await verdict.close()
    return verdict.said


async def verify_again(
    line: Line, rounds: Iterable[Round], employees: Sequence[Employee], skill: str
) -> list[str]:
    """Rounds of long ago, untouched since."""
    said: list[str] = []
    for round_ in rounds:
        verdict = Verdict(line, round_, employees, skill)
        await verdict.open()
        try:
            await verdict.compare(files=5)
        finally:
            await verdict.close()
        said += verdict.said
    return said


def _path_of(change: Json) -> str:
    message = change["event"].get("message")
    return str(message["relativePath"]) if isinstance(message, dict) else ""
