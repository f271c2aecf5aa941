"""`create_visualization`: checks chart data and returns what the client draws."""

from typing import Any

from agents.tools.colours import is_colour
from agents.tools.results import Envelope, error_json, json_result

_SEGMENT_NAMES = ("segment", "name", "label", "category", "key")
_VALUE_NAMES = ("value", "count", "amount", "total", "size")
_COLOURS = 5
# Members of an item that clients and drawing libraries take for its colour.
_COLOURED = ("color", "fill", "stroke")

type Point = dict[str, Any]  # Any: chart data is whatever the model made of its sources


async def create_visualization(
    chart_type: str, data: list[dict[str, Any]], title: str = "", x_label: str = "", y_label: str = ""
) -> Envelope:
    """Draw a bar, line or pie chart.

    Args:
        chart_type: `bar`, `line` or `pie`.
        data: For bar and line objects with `x` and `y`, for pie objects with `segment` and `value`; an item may have a
            `color` (a CSS name, `#rrggbb`, `rgb()` or `hsl()`).
        title: Title of the chart.
        x_label: Label of the x axis.
        y_label: Label of the y axis.
    """
    if chart_type not in {"bar", "line", "pie"}:
        return error_json("The chart type must be bar, line or pie.", chart_type=chart_type)
    if not data:
        return error_json("There is no data to draw.", chart_type=chart_type)
    points = [_pie_point(point) if chart_type == "pie" else point for point in data]
    needed = ("segment", "value") if chart_type == "pie" else ("x", "y")
    for number, point in enumerate(points, 1):
        missing = [name for name in needed if name not in point]
        if missing:
            return error_json(f"Item {number} has no {' and no '.join(missing)}.", chart_type=chart_type)
        wrong = [name for name in _COLOURED if point.get(name) not in (None, "") and not is_colour(point[name])]
        if wrong:
            text = f"Item {number} has a {wrong[0]} that is none. Use a name, #rrggbb, rgb() or hsl()."
            return error_json(text, chart_type=chart_type)
    chart = {
        "chartType": chart_type,
        "config": {
            "title": title,
            "description": _description(x_label, y_label),
            "xAxisKey": None if chart_type == "pie" else "x",
        },
        "data": points,
        "chartConfig": _pie_config(points) if chart_type == "pie" else _axis_config(),
    }
    return json_result({"success": True, "chart_data": chart, "message": f"Created a {chart_type} chart."})


def _pie_point(point: Point) -> Point:
    segment = next((point[name] for name in _SEGMENT_NAMES if name in point), None)
    value = next((point[name] for name in _VALUE_NAMES if name in point), None)
    completed = dict(point)
    if segment is not None:
        completed["segment"] = segment
    if value is not None:
        completed["value"] = value
    return completed


def _pie_config(points: list[Point]) -> dict[str, Any]:
    return {
        str(point["segment"]): {
            "label": str(point["segment"]),
            "color": point.get("color") or f"hsl(var(--chart-{number % _COLOURS + 1}))",
        }
        for number, point in enumerate(points)
    }


def _axis_config() -> dict[str, Any]:
    return {"y": {"label": "Value", "color": "hsl(var(--chart-1))"}}


def _description(x_label: str, y_label: str) -> str:
    return f"{y_label} by {x_label}" if x_label and y_label else ""
