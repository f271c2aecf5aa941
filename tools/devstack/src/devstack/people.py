"""People that the stack starts with, and a quota for all of them: what administrators look at is not empty."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIER_ID = "starter"
MONTHLY_DOLLARS = "5"

type _Text = dict[str, str]


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    name: str
    email: str
    roles: tuple[str, ...]
    status: str = "active"


PEOPLE = (
    # The development user: the costs of what is chatted locally are this person's.
    Person("000000000", "Anonymous User (Dev)", "anonymous@local.dev", ("Developer",)),
    Person("100000001", "Ada Lovelace", "ada@example.edu", ("All-Students Entra Sync",)),
    Person("100000002", "Grace Hopper", "grace@cs.example.edu", ("Staff",)),
    Person("100000003", "Edsger Dijkstra", "edsger@example.edu", ("Faculty",), "suspended"),
)


def seed_people(client: "DynamoDBClient", created: Mapping[str, str]) -> None:
    """Write people and a default tier into the tables that `created` names by their variables."""
    now = datetime.now(UTC)
    for number, person in enumerate(PEOPLE):
        seen = (now - timedelta(hours=number)).isoformat().replace("+00:00", "Z")
        roles: list[_Text] = [{"S": role} for role in person.roles]
        client.put_item(
            TableName=created["DYNAMODB_USERS_TABLE_NAME"],
            Item={**_texts(_profile(person, seen)), "roles": {"L": roles}},
        )
    quotas, stamp = created["DYNAMODB_QUOTA_TABLE"], now.isoformat().replace("+00:00", "Z")
    written = {"createdAt": stamp, "updatedAt": stamp, "createdBy": PEOPLE[0].user_id}
    tier = {
        "PK": f"QUOTA_TIER#{TIER_ID}",
        "SK": "METADATA",
        "tierId": TIER_ID,
        "tierName": "Starter",
        "periodType": "monthly",
        "actionOnLimit": "block",
        **written,
    }
    limits: dict[str, _Text] = {"monthlyCostLimit": {"N": MONTHLY_DOLLARS}, "softLimitPercentage": {"N": "80"}}
    client.put_item(TableName=quotas, Item={**_texts(tier), **limits, "enabled": {"BOOL": True}})
    assignment = {
        "PK": "ASSIGNMENT#everybody",
        "SK": "METADATA",
        "GSI1PK": "ASSIGNMENT_TYPE#default_tier",
        "GSI1SK": "PRIORITY#100#everybody",
        "assignmentId": "everybody",
        "tierId": TIER_ID,
        "assignmentType": "default_tier",
        **written,
    }
    client.put_item(TableName=quotas, Item={**_texts(assignment), "priority": {"N": "100"}, "enabled": {"BOOL": True}})


def _profile(person: Person, seen: str) -> dict[str, str]:
    domain = person.email.partition("@")[2]
    return {
        "PK": f"USER#{person.user_id}",
        "SK": "PROFILE",
        "GSI2PK": f"DOMAIN#{domain}",
        "GSI2SK": seen,
        "GSI3PK": f"STATUS#{person.status}",
        "GSI3SK": seen,
        "userId": person.user_id,
        "email": person.email,
        "name": person.name,
        "emailDomain": domain,
        "createdAt": seen,
        "lastLoginAt": seen,
        "status": person.status,
    }


def _texts(attributes: Mapping[str, str]) -> dict[str, _Text]:
    return {name: {"S": value} for name, value in attributes.items()}
