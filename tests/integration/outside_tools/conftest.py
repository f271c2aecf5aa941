from collections.abc import AsyncIterator

import pytest

from tests.integration.conftest import Configure
from tests.support.web_site import WebSite, web_site


@pytest.fixture(scope="session")
async def _site() -> AsyncIterator[WebSite]:
    async with web_site() as running:
        yield running


@pytest.fixture
def site(_site: WebSite, configure: Configure) -> WebSite:
    """Without pages; tools find their services there."""
    _site.asked.clear()
    _site.pages.clear()
    configure(
        OUTGOING_ALLOWED_HOSTS="127.0.0.1",
        WEATHER_BASE_URL=_site.url,
        WEB_SEARCH_URL=f"{_site.url}/html/",
        INSTITUTION_SEARCH_URL=f"{_site.url}/search",
        TOOL_CLUDO_SITE_KEY="site-key",
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
    )
    return _site
