"""`get_current_weather`: the current conditions at a place, from the National Weather Service of the United States."""

import asyncio
import json
import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from agents.tools.results import Envelope, json_result
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.result import Failure, Result, Success, fold, railway, require
from apis.shared.settings import ToolSettings, settings

SECONDS = 30.0
REPEAT_AFTER_SECONDS = 1.0
MAX_REDIRECTS = 3
_HEADERS = {"User-Agent": "strands-weather-tool/1.0", "Accept": "application/geo+json"}

NO_PLACE = bad_request("The latitude must be a number from -90 to 90, the longitude one from -180 to 180.")
NO_LOCATION = bad_request("The weather service does not tell anything about this location right now.")
OUTSIDE = bad_request("The location is outside of what the weather service covers, the United States.")
NO_FORECAST = bad_request("There is no forecast for this location.")
NO_PERIODS = bad_request("The forecast for this location holds no periods.")


class Degrees(float):
    """A number, or the text of one; `true` is none."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_not_a_switch, core_schema.float_schema())


def _not_a_switch(value: object) -> object:
    return math.nan if isinstance(value, bool) else value


weather_service = HttpClient("weather", deadline_seconds=SECONDS)


async def get_current_weather(latitude: Degrees, longitude: Degrees) -> Envelope:
    """Tell the current weather at a place in the United States.

    Args:
        latitude: Degrees north.
        longitude: Degrees east, negative in the west.
    """
    return fold(
        await _weather(latitude, longitude),
        success=json_result,
        failure=lambda error: _error(error.message, latitude, longitude),
    )


@railway
async def _weather(latitude: float, longitude: float) -> Result[dict[str, Any], ErrorDetail]:
    if not _is_within(latitude, 90) or not _is_within(longitude, 180):
        return Failure(NO_PLACE)
    base = settings(ToolSettings).weather_base_url.rstrip("/")
    answer = (await _get(f"{base}/points/{_degrees(latitude)},{_degrees(longitude)}")).alt(lambda _: NO_LOCATION)
    point = answer.bind(_of_point).unwrap().properties
    address = require(point.forecast, NO_FORECAST).unwrap()
    if not address.startswith(f"{base}/"):
        # Nothing that an answer names is asked but the service itself.
        return Failure(NO_FORECAST)
    told = (await _get(address)).bind(_of_forecast).alt(lambda _: NO_FORECAST).unwrap()
    period = require(next(iter(told.properties.periods or ()), None), NO_PERIODS).unwrap()
    place = point.relative_location.properties.city if point.relative_location is not None else None
    temperature, unit = _temperature(period)
    return Success(
        {
            "location": {"latitude": latitude, "longitude": longitude, "name": place or "Unknown"},
            "current_conditions": {
                "temperature": temperature,
                "temperature_unit": unit,
                "wind_speed": period.wind_speed,
                "wind_direction": period.wind_direction,
                "short_forecast": period.short_forecast,
                "detailed_forecast": period.detailed_forecast,
            },
            "period": period.name,
            "updated": period.start_time,
        }
    )


@railway
async def _get(url: str) -> Result[HttpResponse, ErrorDetail]:
    """The last answer; redirects within the service are followed, an outage is asked once more."""
    import httpx  # noqa: PLC0415 - lazy: stays out of the start

    target = httpx.URL(url)
    for _ in range(MAX_REDIRECTS + 1):
        found = await weather_service.get(str(target), headers=_HEADERS)
        if fold(found, success=lambda _: False, failure=_is_outage):
            await asyncio.sleep(REPEAT_AFTER_SECONDS)
            found = await weather_service.get(str(target), headers=_HEADERS)
        answer = found.unwrap()
        location = answer.headers.get("location")
        if not 300 <= answer.status < 400 or location is None:
            return Success(answer)
        further = target.join(location)
        if (further.scheme, further.netloc) != (target.scheme, target.netloc):
            return Failure(NO_LOCATION)
        target = further
    return Failure(NO_LOCATION)


def _is_outage(error: ErrorDetail) -> bool:
    return error.code is ErrorCode.SERVICE_UNAVAILABLE and error.context.get("http_status", "").startswith("5")


def _of_point(answer: HttpResponse) -> "Result[_Point, ErrorDetail]":
    if answer.status == 404:
        return Failure(OUTSIDE)
    if answer.status != 200:
        return Failure(NO_LOCATION)
    return answer.parse(_Point).alt(lambda _: NO_LOCATION)


def _of_forecast(answer: HttpResponse) -> "Result[_Forecast, ErrorDetail]":
    return answer.parse(_Forecast) if answer.status == 200 else Failure(NO_FORECAST)


def _is_within(degrees: object, most: int) -> bool:
    return (
        isinstance(degrees, float | int)
        and not isinstance(degrees, bool)
        and math.isfinite(degrees)
        and (abs(degrees) <= most)
    )


def _degrees(value: float) -> str:
    """The service redirects what has more than four decimals or zeros at its end."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _error(text: str, latitude: float, longitude: float) -> Envelope:
    places = {
        name: value if _is_within(value, 10**9) else str(value)
        for name, value in (("latitude", latitude), ("longitude", longitude))
    }
    return {"status": "error", "content": [{"text": json.dumps({"error": text, **places})}]}


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Place(_Told):
    city: str | None = None


class _RelativeLocation(_Told):
    properties: Annotated[_Place, BeforeValidator(lambda value: value or {})] = Field(default_factory=_Place)


class _PointProperties(_Told):
    forecast: str | None = None
    relative_location: _RelativeLocation | None = None


class _Point(_Told):
    properties: _PointProperties


class _Quantity(_Told):
    value: float | None = None
    unit_code: str = ""


def _as_text(value: object) -> object:
    """A quantity as its number and unit."""
    match value:
        case {"value": int() | float() as number, **rest}:
            unit = str(rest.get("unitCode", "")).rpartition(":")[2].replace("_h-1", "/h")
            return f"{number:g} {unit}".strip()
        case dict():
            return None
        case _:
            return value


_Text = Annotated[str | None, BeforeValidator(_as_text)]


class _Period(_Told):
    name: str | None = None
    start_time: str | None = None
    temperature: int | float | _Quantity | None = None
    temperature_unit: str | None = None
    wind_speed: _Text = None
    wind_direction: str | None = None
    short_forecast: str | None = None
    detailed_forecast: str | None = None


class _ForecastProperties(_Told):
    periods: list[_Period] | None = None


class _Forecast(_Told):
    properties: _ForecastProperties


def _temperature(period: _Period) -> tuple[float | None, str | None]:
    match period.temperature:
        case _Quantity(value=value, unit_code=code):
            return value, code.rpartition("deg")[2] or period.temperature_unit
        case number:
            return number, period.temperature_unit
