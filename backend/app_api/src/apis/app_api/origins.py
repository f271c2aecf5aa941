"""The web origins that may call this API, and that a browser may be sent back to."""

from apis.shared.settings import InstitutionSettings, WebSettings, settings

LOCAL_ORIGIN = "http://localhost:4200"


def allowed_origins() -> tuple[str, ...]:
    web = settings(WebSettings)
    local = (LOCAL_ORIGIN,) if web.is_development else ()
    # Deployments do not set ENVIRONMENT here: unset allows both the local and the production origin.
    production = settings(InstitutionSettings).production_cors_origins if web.environment != "development" else ()
    return (*local, *production, *web.extra_origins)
