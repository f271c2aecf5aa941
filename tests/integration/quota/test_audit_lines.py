"""What operators read of changes to quota."""

from typing import Any

from tests.integration.quota.conftest import QuotaEditor, an_override

ADMIN = "111111111"


async def test_each_change_is_noted_with_who_made_it(quota: QuotaEditor, user_id: str) -> None:
    vip = f"{user_id}-vip"

    async def told(method: str, path: str, sent: Any = None) -> tuple[str, dict[str, Any], Any]:
        """The event, what else is said, and the answer."""
        answer = await quota(method, path, sent)
        assert answer.is_success, answer.text
        records = quota.platform.records(answer.headers["x-request-id"])
        (line,) = [record for record in records if "event" in record]
        assert (line["level"], line["admin_user_id"]) == ("INFO", ADMIN)
        about = ("tier_id", "assignment_id", "override_id", "of_user_id", "changes")
        return (
            line["event"],
            {name: line[name] for name in about if name in line},
            answer.json() if answer.content else None,
        )

    tier = {"tierId": vip, "tierName": "VIP", "monthlyCostLimit": 10}
    assert (await told("POST", "tiers", tier))[:2] == ("quota_tier_created", {"tier_id": vip})
    changed = await told("PATCH", f"tiers/{vip}", {"monthlyCostLimit": 20, "actionOnLimit": "warn"})
    assert changed[:2] == (
        "quota_tier_updated",
        {"tier_id": vip, "changes": ["actionOnLimit", "monthlyCostLimit"]},
    )
    event, about, assignment = await told(
        "POST", "assignments", {"tierId": vip, "assignmentType": "direct_user", "userId": user_id}
    )
    of_assignment = {"assignment_id": assignment["assignmentId"]}
    assert (event, about) == ("quota_assignment_created", {**of_assignment, "tier_id": vip})
    changed = await told("PATCH", f"assignments/{assignment['assignmentId']}", {"priority": 5})
    assert changed[:2] == ("quota_assignment_updated", {**of_assignment, "changes": ["priority"]})
    gone = await told("DELETE", f"assignments/{assignment['assignmentId']}")
    assert gone[:2] == ("quota_assignment_deleted", of_assignment)
    event, about, override = await told("POST", "overrides", an_override(user_id))
    of_override = {"override_id": override["overrideId"]}
    assert (event, about) == ("quota_override_created", {**of_override, "of_user_id": user_id})
    changed = await told("PATCH", f"overrides/{override['overrideId']}", {"reason": "x"})
    assert changed[:2] == ("quota_override_updated", {**of_override, "changes": ["reason"]})
    assert (await told("DELETE", f"overrides/{override['overrideId']}"))[:2] == ("quota_override_deleted", of_override)
    assert (await told("DELETE", f"tiers/{vip}"))[:2] == ("quota_tier_deleted", {"tier_id": vip})
    refused = await quota("DELETE", f"tiers/{vip}")
    assert not [one for one in quota.platform.records(refused.headers["x-request-id"]) if "event" in one]
