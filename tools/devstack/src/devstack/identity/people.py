"""The people who can sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apis.shared.settings import AuthSettings, InstitutionSettings


@dataclass(frozen=True, slots=True)
class Person:
    """`user_id` is the employee number, `what` says on the page who that is."""

    user_id: str
    name: str
    what: str
    roles: tuple[str, ...]

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@example.edu"

    def claims(self, institution: InstitutionSettings) -> dict[str, Any]:
        """What every token says of the person, under the names of this institution."""
        return {
            "sub": f"subject-{self.user_id}",
            "name": self.name,
            "email": self.email,
            "preferred_username": self.email,
            "roles": list(self.roles),
            institution.employee_number_claim: self.user_id,
        }


def sample_people(institution: InstitutionSettings, auth: AuthSettings) -> Sequence[Person]:
    """One of each kind, each with a role that lets them in, whatever the roles of this institution are called."""

    def base(role: str) -> str:
        return role if role in institution.base_roles else next(iter(institution.base_roles), role)

    return (
        Person("100000001", "Sam Student", "a student", (base("All-Students Entra Sync"),)),
        Person("100000002", "Stella Staff", "one of the staff", (base("Staff"),)),
        Person("100000003", "Adam Admin", "an administrator", (base("Staff"), *institution.admin_roles[:1])),
        Person("100000004", "Sybil System", "a system administrator", (base("Staff"), *auth.admin_jwt_roles[:1])),
    )
