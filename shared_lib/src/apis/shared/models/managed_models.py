"""Managed models: which models users may choose, and what their tokens cost."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.costs.models import PricingSnapshot
from apis.shared.models.dynamodb import DynamoManagedModels
from apis.shared.models.local import LocalManagedModels
from apis.shared.models.models import ManagedModel, newest_first, that_counts
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.moments import zulu_form
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once


def pricing_snapshot(model: ManagedModel, now: datetime) -> PricingSnapshot:
    return PricingSnapshot(
        input_price_per_mtok=model.input_price_per_million_tokens,
        output_price_per_mtok=model.output_price_per_million_tokens,
        cache_write_price_per_mtok=model.cache_write_price_per_million_tokens,
        cache_read_price_per_mtok=model.cache_read_price_per_million_tokens,
        snapshot_at=zulu_form(now),
    )


def can_access_model(user: User, model: ManagedModel, permissions: UserEffectivePermissions) -> bool:
    """Enabled, and granted by an AppRole or available to a role of the token. `allowed_app_roles` only informs."""
    if not model.enabled:
        return False
    return permissions.allows_model(model.model_id) or not set(user.roles).isdisjoint(model.available_to_roles)


def accessible_models(
    user: User, models: Iterable[ManagedModel], permissions: UserEffectivePermissions
) -> list[ManagedModel]:
    """What the picker offers, the newest first: of several entries with one `model_id` the one that a turn goes by."""
    by_model_id: defaultdict[str, list[ManagedModel]] = defaultdict(list)
    for model in models:
        by_model_id[model.model_id].append(model)
    counting = (that_counts(same) for same in by_model_id.values())
    return newest_first(model for model in counting if model is not None and can_access_model(user, model, permissions))


@once
def get_managed_models() -> ManagedModelRepository:
    storage = settings(StorageSettings)
    table = storage.dynamodb_managed_models_table_name
    return DynamoManagedModels(Table(table)) if table else LocalManagedModels(storage.managed_models_dir)
