"""Where the identity provider is, and the connections to it."""

from dataclasses import dataclass

from apis.shared.http_client import HttpClient

DEADLINE_SECONDS = 10.0

# Of their own each: whoever signs in while tokens are slow to come takes no connection from those who have theirs.
keys_http = HttpClient("identity provider", deadline_seconds=DEADLINE_SECONDS)
tokens_http = HttpClient("identity provider", deadline_seconds=DEADLINE_SECONDS)


@dataclass(frozen=True, slots=True)
class EntraTenant:
    """The addresses of a tenant, by its id."""

    authority: str
    tenant_id: str

    @property
    def issuer(self) -> str:
        return f"{self.authority}/{self.tenant_id}/v2.0"

    @property
    def key_set_url(self) -> str:
        return f"{self.authority}/{self.tenant_id}/discovery/v2.0/keys"

    @property
    def authorize_url(self) -> str:
        return f"{self.authority}/{self.tenant_id}/oauth2/v2.0/authorize"

    @property
    def token_url(self) -> str:
        return f"{self.authority}/{self.tenant_id}/oauth2/v2.0/token"

    @property
    def logout_url(self) -> str:
        return f"{self.authority}/{self.tenant_id}/oauth2/v2.0/logout"
