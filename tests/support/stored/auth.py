from typing import Any, Final

from tests.support.stored.things import LATE_TTL, Row, row_of

STATES: Final = "DYNAMODB_OIDC_STATE_TABLE_NAME"


def pending_state(state: str, **attributes: Any) -> Row:
    """What a sign-in waits with for the browser to come back; it expires late."""
    item = {
        "PK": f"STATE#{state}",
        "SK": f"STATE#{state}",
        "state": state,
        "expiresAt": LATE_TTL,
        "created_at": 1_700_000_000,
        "code_verifier": "verifier",
        "nonce": "nonce",
    }
    return row_of(STATES, item, attributes)
