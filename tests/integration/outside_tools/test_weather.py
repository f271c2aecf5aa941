import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from agents.tools import weather
from agents.tools.registry import load_tools
from agents.tools.weather import get_current_weather
from tests.support.web_site import Told, WebSite

PERIOD: dict[str, Any] = {
    "name": "Tonight",
    "startTime": "2025-01-15T18:00:00-07:00",
    "temperature": 28,
    "temperatureUnit": "F",
    "windSpeed": "5 mph",
    "windDirection": "NW",
    "shortForecast": "Clear",
    "detailedForecast": "Clear, with a low around 28.",
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather, "REPEAT_AFTER_SECONDS", 0.0)


def point(site: WebSite, **members: Any) -> Response:
    place = {"properties": {"city": "Boise"}}
    told = {"forecast": f"{site.url}/forecast", "relativeLocation": place, **members}
    return JSONResponse({"properties": told})


def forecast(*periods: Any) -> Response:
    return JSONResponse({"properties": {"periods": list(periods)}})


async def asked(latitude: Any = 43.6, longitude: Any = -116.2) -> tuple[str, dict[str, Any]]:
    answer = await get_current_weather(latitude, longitude)
    return answer["status"], json.loads(answer["content"][0]["text"])


async def test_the_weather(site: WebSite) -> None:
    site.pages |= {"/points/43.6,-116.2": point(site), "/forecast": forecast(PERIOD, {"name": "Later"})}
    assert await asked() == (
        "success",
        {
            "location": {"latitude": 43.6, "longitude": -116.2, "name": "Boise"},
            "current_conditions": {
                "temperature": 28,
                "temperature_unit": "F",
                "wind_speed": "5 mph",
                "wind_direction": "NW",
                "short_forecast": "Clear",
                "detailed_forecast": "Clear, with a low around 28.",
            },
            "period": "Tonight",
            "updated": "2025-01-15T18:00:00-07:00",
        },
    )
    headers = site.asked[0].headers
    assert headers["user-agent"] == "strands-weather-tool/1.0"
    assert headers["accept"] == "application/geo+json"


@pytest.mark.parametrize(
    ("latitude", "longitude", "path"),
    [
        (39.7391536, -104.9847034, "/points/39.7392,-104.9847"),
        (40.70, -74.00, "/points/40.7,-74"),
        (-0.00001, 0, "/points/0,0"),
    ],
)
async def test_the_address_of_a_place(site: WebSite, latitude: float, longitude: float, path: str) -> None:
    """W1"""
    await asked(latitude, longitude)
    assert site.paths == [path]


@pytest.mark.parametrize("latitude", [float("nan"), float("inf"), 91, -90.5, True])
async def test_what_is_no_place(site: WebSite, latitude: Any) -> None:
    """W1"""
    status, told = await asked(latitude)
    assert status == "error"
    assert set(told) == {"error", "latitude", "longitude"}
    assert not site.asked


@pytest.mark.parametrize(("given", "is_asked"), [("43.6", True), (True, False)])
async def test_what_a_model_may_give(site: WebSite, given: Any, is_asked: bool) -> None:
    """W1: the text of a number is one, a switch is none."""
    (tool,) = load_tools(["get_current_weather"])
    use = {"toolUseId": "t", "name": "get_current_weather", "input": {"latitude": given, "longitude": -116.2}}
    results = [event async for event in tool.stream(use, {})]
    assert "error" in str(results)
    assert bool(site.asked) is is_asked


async def test_redirects_within_the_service(site: WebSite) -> None:
    """W1"""
    site.pages |= {
        "/points/43.6,-116.2": Response(status_code=301, headers={"location": "/points/43.60,-116.20"}),
        "/points/43.60,-116.20": point(site),
        "/forecast": forecast(PERIOD),
    }
    assert (await asked())[0] == "success"
    site.pages["/points/43.6,-116.2"] = Response(status_code=301, headers={"location": "http://127.0.0.1:9/"})
    assert (await asked())[0] == "error"


@pytest.mark.parametrize(
    ("members", "pages", "error"),
    [
        pytest.param({"forecast": None}, {}, "no forecast", id="W2 the sea"),
        pytest.param({"forecast": "http://127.0.0.1:9/forecast"}, {}, "no forecast", id="W2 another host"),
        pytest.param({}, {"/forecast": JSONResponse({"properties": {}})}, "no periods", id="W2 missing"),
        pytest.param({}, {"/forecast": forecast()}, "no periods", id="W2 empty"),
        pytest.param({}, {"/forecast": Response(status_code=500)}, "no forecast", id="W2 outage"),
        pytest.param({}, {"/forecast": Response("<html>")}, "no forecast", id="rubbish"),
        pytest.param({}, {"/points/43.6,-116.2": JSONResponse({}, 404)}, "outside", id="W2 outside"),
        pytest.param({}, {"/points/43.6,-116.2": JSONResponse({}, 500)}, "right now", id="F-AGT-31 outage"),
        pytest.param({}, {"/points/43.6,-116.2": JSONResponse({"properties": None})}, "right now", id="no point"),
    ],
)
async def test_what_the_service_does_not_tell(
    site: WebSite, members: dict[str, Any], pages: dict[str, Told], error: str
) -> None:
    site.pages |= {"/points/43.6,-116.2": point(site, **members), **pages}
    status, told = await asked()
    assert status == "error"
    assert error in told["error"]
    assert (told["latitude"], told["longitude"]) == (43.6, -116.2)


async def test_an_outage_is_asked_once_more(site: WebSite) -> None:
    """W2, P22"""
    site.pages |= {
        "/points/43.6,-116.2": [Response(status_code=503), point(site)],
        "/forecast": forecast({**PERIOD, "temperature": {"value": 12.2, "unitCode": "wmoUnit:degC"}}),
    }
    status, told = await asked()
    assert status == "success"
    assert told["current_conditions"]["temperature"] == 12.2
    assert told["current_conditions"]["temperature_unit"] == "C"


async def test_what_is_not_known_stays_so(site: WebSite) -> None:
    """W2"""
    site.pages |= {
        "/points/43.6,-116.2": point(site, relativeLocation=None),
        "/forecast": forecast({"temperature": None}),
    }
    _, told = await asked()
    assert told["location"]["name"] == "Unknown"
    assert told["current_conditions"]["temperature"] is None
