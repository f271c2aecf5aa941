from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator

from apis.app_api.quota.inspector import get_quota_inspector
from apis.app_api.quota.schemas import (
    QuotaAssignmentCreate,
    QuotaAssignmentResponse,
    QuotaAssignmentUpdate,
    QuotaEventResponse,
    QuotaOverrideCreate,
    QuotaOverrideResponse,
    QuotaOverrideUpdate,
    QuotaTierCreate,
    QuotaTierResponse,
    QuotaTierUpdate,
    UserQuotaInfo,
)
from apis.app_api.quota.service import (
    NO_LIMIT,
    REVERSED,
    get_quota_administration,
    missing_criterion,
    tier_in_use,
    unknown_tier,
)
from apis.shared.auth import AdminUser, require_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import STORE_ERRORS, AdminRouter
from apis.shared.http.bounds import Integer, ShortText
from apis.shared.quota.models import QuotaEvent
from apis.shared.quota.repository import (
    assignment_not_found,
    get_quota_event_repository,
    override_not_found,
    tier_id_taken,
    tier_not_found,
)
from apis.shared.result import Result, Success

MOST_EVENTS = 1_000

admin_router = AdminRouter(guard=require_admin, prefix="/admin/quota", tags=["Quota"], errors=STORE_ERRORS)

# As OpenAPI shows them.
NO_TIER = tier_not_found("basic")
NO_ASSIGNMENT = assignment_not_found("0b0f7d0c-3f0b-4c7e-9f0e-3d1f6f0c2a11")
NO_OVERRIDE = override_not_found("0b0f7d0c-3f0b-4c7e-9f0e-3d1f6f0c2a11")
TAKEN = tier_id_taken("basic")
IN_USE = tier_in_use("basic", 2)
UNKNOWN_TIER = unknown_tier("basic")
NO_CRITERION = missing_criterion("direct_user")


def _page(limit: int) -> int:
    if not 1 <= limit <= MOST_EVENTS:
        msg = f"between 1 and {MOST_EVENTS:,} events are allowed"
        raise ValueError(msg)
    return limit


TierId = Annotated[str, Path(description="Id of the tier.", examples=["basic"])]
AssignmentId = Annotated[str, Path(description="Id of the assignment.")]
OverrideId = Annotated[str, Path(description="Id of the override.")]
UserId = Annotated[str, Path(description="Nine digits; need not be known.", examples=["123456789"])]
EnabledOnly = Annotated[bool, Query(description="Leave disabled ones out.")]
OfType = Annotated[ShortText | None, Query(description="Only those of one type; of an unknown one there are none.")]
OfUser = Annotated[ShortText | None, Query(description="Only those of one user.")]
OfTier = Annotated[ShortText | None, Query(description="Only those of one tier.")]


@admin_router.post("/tiers", summary="Create a tier", status_code=201, errors=(TAKEN,))
async def create_tier(admin: AdminUser, body: QuotaTierCreate) -> Result[QuotaTierResponse, ErrorDetail]:
    """It counts for nobody until it is assigned."""
    return (await get_quota_administration().create_tier(body, admin)).map(QuotaTierResponse.of)


@admin_router.get("/tiers", summary="List tiers")
async def list_tiers(enabled_only: EnabledOnly = False) -> Result[list[QuotaTierResponse], ErrorDetail]:
    """All of them, by id."""
    listed = await get_quota_administration().list_tiers(enabled_only=enabled_only)
    return listed.map(lambda tiers: [QuotaTierResponse.of(tier) for tier in tiers])


@admin_router.get("/tiers/{tier_id}", summary="Get a tier", errors=(NO_TIER,))
async def get_tier(tier_id: TierId) -> Result[QuotaTierResponse, ErrorDetail]:
    """One tier, enabled or not."""
    return (await get_quota_administration().get_tier(tier_id)).map(QuotaTierResponse.of)


@admin_router.patch("/tiers/{tier_id}", summary="Change a tier", errors=(NO_TIER,))
async def update_tier(
    admin: AdminUser, tier_id: TierId, body: QuotaTierUpdate
) -> Result[QuotaTierResponse, ErrorDetail]:
    """Only the given members change. Other processes know of it within five minutes."""
    return (await get_quota_administration().update_tier(tier_id, body, admin)).map(QuotaTierResponse.of)


@admin_router.delete("/tiers/{tier_id}", summary="Delete a tier", errors=(NO_TIER, IN_USE))
async def delete_tier(admin: AdminUser, tier_id: TierId) -> Result[None, ErrorDetail]:
    """Only one that is assigned to nobody."""
    return await get_quota_administration().delete_tier(tier_id, admin)


@admin_router.post("/assignments", summary="Assign a tier", status_code=201, errors=(UNKNOWN_TIER, NO_CRITERION))
async def create_assignment(
    admin: AdminUser, body: QuotaAssignmentCreate
) -> Result[QuotaAssignmentResponse, ErrorDetail]:
    """A user and an AppRole can have one assignment each; roles of tokens, domains and the default several."""
    return (await get_quota_administration().create_assignment(body, admin)).map(QuotaAssignmentResponse.of)


@admin_router.get("/assignments", summary="List assignments")
async def list_assignments(
    assignment_type: OfType = None, tier_id: OfTier = None, enabled_only: EnabledOnly = False
) -> Result[list[QuotaAssignmentResponse], ErrorDetail]:
    """In the order in which types count, the highest priority of each first."""
    listed = await get_quota_administration().list_assignments(
        kind=assignment_type or None, tier_id=tier_id or None, enabled_only=enabled_only
    )
    return listed.map(lambda assignments: [QuotaAssignmentResponse.of(one) for one in assignments])


@admin_router.get("/assignments/{assignment_id}", summary="Get an assignment", errors=(NO_ASSIGNMENT,))
async def get_assignment(assignment_id: AssignmentId) -> Result[QuotaAssignmentResponse, ErrorDetail]:
    """One assignment, enabled or not."""
    return (await get_quota_administration().get_assignment(assignment_id)).map(QuotaAssignmentResponse.of)


@admin_router.patch(
    "/assignments/{assignment_id}", summary="Change an assignment", errors=(NO_ASSIGNMENT, UNKNOWN_TIER)
)
async def update_assignment(
    admin: AdminUser, assignment_id: AssignmentId, body: QuotaAssignmentUpdate
) -> Result[QuotaAssignmentResponse, ErrorDetail]:
    """Only the given members change; whom it is for stays."""
    return (await get_quota_administration().update_assignment(assignment_id, body, admin)).map(
        QuotaAssignmentResponse.of
    )


@admin_router.delete("/assignments/{assignment_id}", summary="Delete an assignment", errors=(NO_ASSIGNMENT,))
async def delete_assignment(admin: AdminUser, assignment_id: AssignmentId) -> Result[None, ErrorDetail]:
    """Whom it was for gets what the next rule says."""
    return await get_quota_administration().delete_assignment(assignment_id, admin)


@admin_router.post("/overrides", summary="Override a user's quota", status_code=201, errors=(NO_LIMIT, REVERSED))
async def create_override(admin: AdminUser, body: QuotaOverrideCreate) -> Result[QuotaOverrideResponse, ErrorDetail]:
    """It comes before every assignment while it is valid."""
    return (await get_quota_administration().create_override(body, admin)).map(QuotaOverrideResponse.of)


@admin_router.get("/overrides", summary="List overrides")
async def list_overrides(
    user_id: OfUser = None,
    active_only: Annotated[bool, Query(description="Only those that are enabled and valid now.")] = False,
) -> Result[list[QuotaOverrideResponse], ErrorDetail]:
    """The one that ends last first."""
    listed = await get_quota_administration().list_overrides(user_id=user_id, active_only=active_only)
    return listed.map(lambda overrides: [QuotaOverrideResponse.of(one) for one in overrides])


@admin_router.get("/overrides/{override_id}", summary="Get an override", errors=(NO_OVERRIDE,))
async def get_override(override_id: OverrideId) -> Result[QuotaOverrideResponse, ErrorDetail]:
    """One override, valid or not."""
    return (await get_quota_administration().get_override(override_id)).map(QuotaOverrideResponse.of)


@admin_router.patch("/overrides/{override_id}", summary="Change an override", errors=(NO_OVERRIDE, REVERSED))
async def update_override(
    admin: AdminUser, override_id: OverrideId, body: QuotaOverrideUpdate
) -> Result[QuotaOverrideResponse, ErrorDetail]:
    """Only the given members change."""
    return (await get_quota_administration().update_override(override_id, body, admin)).map(QuotaOverrideResponse.of)


@admin_router.delete("/overrides/{override_id}", summary="Delete an override", errors=(NO_OVERRIDE,))
async def delete_override(admin: AdminUser, override_id: OverrideId) -> Result[None, ErrorDetail]:
    """The user gets what the next rule says."""
    return await get_quota_administration().delete_override(override_id, admin)


@admin_router.get("/events", summary="List events")
async def list_events(
    user_id: OfUser = None,
    tier_id: OfTier = None,
    event_type: Annotated[ShortText | None, Query(description="Only those of one type.")] = None,
    limit: Annotated[Integer, AfterValidator(_page), Query(description="At most this many.")] = 50,
) -> Result[list[QuotaEventResponse], ErrorDetail]:
    """The newest first; none unless a user or a tier is named."""
    return (await _events(user_id, tier_id, event_type or None, limit)).map(
        lambda events: [QuotaEventResponse.of(event) for event in events]
    )


async def _events(
    user_id: str | None, tier_id: str | None, kind: str | None, limit: int
) -> Result[list[QuotaEvent], ErrorDetail]:
    events = get_quota_event_repository()
    if user_id:
        return await events.newest_of_user(user_id, limit, tier_id=tier_id or None, kind=kind)
    if tier_id:
        return await events.newest_of_tier(tier_id, limit, kind=kind)
    return Success([])


@admin_router.get("/users/{user_id}", summary="Look at a user's quota")
async def get_user_quota_info(
    user_id: UserId,
    email: Annotated[ShortText, Query(description="For rules of domains.")] = "",
    roles: Annotated[ShortText, Query(description="Roles of the token, separated by commas.")] = "",
) -> Result[UserQuotaInfo, ErrorDetail]:
    """Which rule counts for this user, and what was spent of it. Without `email` and `roles` those of the user's last
    request count."""
    named = [role for part in roles.split(",") if (role := part.strip())]
    return await get_quota_inspector().look(user_id, email, named)
