"""`talkwire skill`: what conversations are routed by, and which campaign leads where."""

from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.kernel.ids import ANY_SKILL, SkillId
from talkwire.routing.model import Skill


@click.group("skill")
def command() -> None:
    """What conversations are routed by, and which campaign leads where."""


@command.command("add")
@click.argument("name")
@click.option("--description", default="")
@account_option
@options
def add(name: str, description: str, account: str, **flags: Any) -> None:
    """Make a skill."""

    async def work(desk: Desk) -> dict[str, Any]:
        return _shown(await desk.skills.create(await account_of(desk, account), name, description))

    run(flags, work)


@command.command("list")
@account_option
@options
def list_skills(account: str, **flags: Any) -> None:
    """Every skill of a brand."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        return [_shown(skill) for skill in await desk.skills.list_skills(await account_of(desk, account))]

    run(flags, work)


@command.command("set")
@click.argument("skill_id", metavar="ID")
@click.option("--name")
@click.option("--description")
@account_option
@options
def change(skill_id: str, account: str, name: str | None, description: str | None, **flags: Any) -> None:
    """Change what is given."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        return _shown(await desk.skills.update(account_id, skill_id, name=name, description=description))

    run(flags, work)


@command.command("remove")
@click.argument("skill_id", metavar="ID")
@account_option
@options
def remove(skill_id: str, account: str, **flags: Any) -> None:
    """Let a skill go; who waits under it may be answered by anybody."""

    async def work(desk: Desk) -> dict[str, Any]:
        await desk.skills.delete(await account_of(desk, account), skill_id)
        return {"removed": skill_id}

    run(flags, work)


@command.command("route")
@click.argument("skill_id", metavar="ID")
@click.argument("campaign", metavar="CAMPAIGN")
@click.argument("engagement", metavar="[ENGAGEMENT]", default="")
@account_option
@options
def route(skill_id: str, campaign: str, engagement: str, account: str, **flags: Any) -> None:
    """Lead an engagement, or all of a campaign, to a skill (`-- -1`: to anybody)."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        if skill_id != ANY_SKILL:
            await desk.skills.get(account_id, skill_id)
        await desk.accounts.set_campaign(account_id, campaign, engagement, SkillId(skill_id))
        return {"campaign": campaign, "engagement": engagement or "(all)", "skill": skill_id}

    run(flags, work)


def _shown(skill: Skill) -> dict[str, Any]:
    return {"id": skill.skill_id, "name": skill.name, "description": skill.description}
