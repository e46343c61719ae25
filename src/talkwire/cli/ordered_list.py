"""What the commands of every ordered list do alike: show it, change it, let one of its items go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from talkwire.accounts.ordered_list import Change, OrderedList
from talkwire.accounts.ordered_list_store import Named
from talkwire.cli.desk import Desk, account_of, run
from talkwire.cli.failures import BadRequest

Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True)
class ListCommands(Generic[Item]):
    """The work of a group of commands; `flags` are those that every command takes."""

    noun: str  # one item, as a person calls it
    find: Callable[[Desk], OrderedList[Item]]
    shown: Callable[[Item], dict[str, Any]]

    def list_items(self, account: str, flags: dict[str, Any]) -> None:
        async def work(desk: Desk) -> list[dict[str, Any]]:
            items, _ = await self.find(desk).list_items(await account_of(desk, account))
            return [self.shown(item) for item in items]

        run(flags, work)

    def change(self, account: str, flags: dict[str, Any], change: Change[Item]) -> None:
        """Print the list as it then stands."""

        async def work(desk: Desk) -> list[dict[str, Any]]:
            items, _ = await self.find(desk).change(await account_of(desk, account), change)
            return [self.shown(item) for item in items]

        run(flags, work)

    def remove(self, account: str, flags: dict[str, Any], name: str) -> None:
        def without(items: tuple[Item, ...]) -> list[Item]:
            others = [item for item in items if item.name != name]
            if len(others) == len(items):
                raise BadRequest(f"no {self.noun} {name}")
            return others

        async def work(desk: Desk) -> dict[str, Any]:
            await self.find(desk).change(await account_of(desk, account), without)
            return {"removed": name}

        run(flags, work)
