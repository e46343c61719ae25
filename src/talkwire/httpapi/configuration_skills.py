"""Skills over HTTP, and which campaign leads to which. Source: docs/protocol.md 10.3."""

from typing import Any

from aiohttp import web

from talkwire.accounts.service import Accounts
from talkwire.httpapi.authorization import account_of, administrator_principal, brand_principal
from talkwire.httpapi.bodies import answer, needed_text_of, read_object, selected, text_of
from talkwire.httpapi.configuration import if_match, revised
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import SkillId
from talkwire.routing.model import Skill
from talkwire.routing.skills import Skills


def routes(skills: Skills) -> list[web.RouteDef]:
    async def list_skills(request: web.Request) -> web.Response:
        await brand_principal(request)
        account_id = account_of(request)
        shown = [selected(request, _shown(skill)) for skill in await skills.list_skills(account_id)]
        return answer(shown, headers=revised(await skills.revision(account_id)))

    async def get_skill(request: web.Request) -> web.Response:
        await brand_principal(request)
        skill = await skills.get(account_of(request), request.match_info["skill_id"])
        return await shown_skill(request, skill)

    async def create_skill(request: web.Request) -> web.Response:
        await administrator_principal(request)
        body = await read_object(request)
        skill = await skills.create(
            account_of(request),
            needed_text_of(body, "name"),
            text_of(body, "description") or "",
            if_match(request),
        )
        return await shown_skill(request, skill, 201)

    async def update_skill(request: web.Request) -> web.Response:
        await administrator_principal(request)
        body = await read_object(request)
        skill = await skills.update(
            account_of(request),
            request.match_info["skill_id"],
            name=text_of(body, "name"),
            description=text_of(body, "description"),
            if_match=if_match(request),
        )
        return await shown_skill(request, skill)

    async def delete_skill(request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id = account_of(request)
        await skills.delete(account_id, request.match_info["skill_id"], if_match(request))
        return answer({}, headers=revised(await skills.revision(account_id)))

    async def shown_skill(request: web.Request, skill: Skill, status: int = 200) -> web.Response:
        revision = await skills.revision(account_of(request))
        return answer(selected(request, _shown(skill)), status, revised(revision))

    base = "/api/account/{account_id}/configuration/le-users/skills"
    return [
        web.get(base, list_skills),
        web.post(base, create_skill),
        web.get(f"{base}/{{skill_id}}", get_skill),
        web.put(f"{base}/{{skill_id}}", update_skill),
        web.delete(f"{base}/{{skill_id}}", delete_skill),
    ]


def campaign_routes(accounts: Accounts, skills: Skills) -> list[web.RouteDef]:
    """Ours: which skill the conversations of an engagement go to."""

    async def list_campaigns(request: web.Request) -> web.Response:
        await administrator_principal(request)
        brand = await accounts.get_brand(account_of(request))
        return answer(
            [
                {"campaignId": campaign, "engagementId": engagement, "skillId": skill}
                for (campaign, engagement), skill in sorted(brand.campaigns.items())
            ]
        )

    async def set_campaign(request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id, body = account_of(request), await read_object(request)
        skill_id = _id_of(body, "skillId")
        if skill_id != "-1":
            await skills.get(account_id, skill_id)
        campaign, engagement = _id_of(body, "campaignId"), str(body.get("engagementId") or "")
        await accounts.set_campaign(account_id, campaign, engagement, SkillId(skill_id))
        return answer({"campaignId": campaign, "engagementId": engagement, "skillId": skill_id})

    base = "/api/account/{account_id}/configuration/campaigns"
    return [web.get(base, list_campaigns), web.put(base, set_campaign)]


def _id_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Invalid(f"{name} must be a number or a text")
    return str(value)


def _shown(skill: Skill) -> dict[str, Any]:
    return {
        "id": int(skill.skill_id),
        "name": skill.name,
        "description": skill.description,
        "deleted": False,
        "dateCreated": skill.created_at_ms,
        "dateUpdated": skill.modified_at_ms,
    }
