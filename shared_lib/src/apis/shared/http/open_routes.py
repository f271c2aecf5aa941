"""The routes that answer without knowing who asks: the only ones that a service may have without a guard."""

type Route = tuple[str, str]
"""Method and path."""

OPEN_ROUTES: frozenset[Route] = frozenset(
    {
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("GET", "/ping"),
        ("HEAD", "/ping"),
        # Signing in, before there is a token.
        ("GET", "/auth/login"),
        ("POST", "/auth/token"),
        ("POST", "/auth/refresh"),
        ("GET", "/auth/logout"),
        # Where an OAuth provider sends the browser back to; the state in its query stands for the user.
        ("GET", "/oauth/callback"),
    }
)
