import asyncio
import json
import os
import time
from typing import Any

import pytest

from agents.tools import browser
from agents.tools.calculator import calculator
from agents.tools.visualization import create_visualization


def text(result: dict[str, Any]) -> str:
    (block,) = result["content"]
    shown: str = block["text"]
    return shown


async def calculated(expression: str, **options: Any) -> str:
    result = await calculator(expression, **options)
    assert result["status"] == "success", result
    return text(result).removeprefix("Result: ")


@pytest.mark.parametrize(
    ("expression", "options", "value"),
    [
        ("2+2", {}, "4"),
        ("2 * (3 + 4) ^ 2", {}, "98"),
        ("7 % 4 + 9 // 2", {}, "7"),
        ("-2**2", {}, "-4"),
        ("0.1 + 0.2", {}, "0.3"),
        ("1/3", {}, "0.3333333333"),
        ("1/3", {"precision": 3}, "0.333"),
        ("sqrt(2)", {}, "sqrt(2) = 1.414213562"),
        ("pi", {"force_numeric": True, "precision": 5}, "3.1416"),
        ("1234567 * 1000", {"scientific": True, "precision": 2}, "1.23e+09"),
        ("log10(1000) + log2(8) + ln(e)", {}, "7"),
        ("factorial(20)", {}, "2432902008176640000"),
        ("2**1000", {}, str(2**1000)),
        ("a * 2", {"variables": {"a": 2.5}}, "5"),
        ("x**2 = 4", {"mode": "solve"}, "[-2, 2]"),
        ("x**2 - 4", {"mode": "solve"}, "[-2, 2]"),
        ("a*x - b = 0", {"mode": "solve", "wrt": "x"}, "[b/a]"),
        ("x**3", {"mode": "derive"}, "3*x**2"),
        ("x**3", {"mode": "derive", "order": 2}, "6*x"),
        ("x*y", {"mode": "derive", "wrt": "y"}, "x"),
        ("2*x", {"mode": "integrate"}, "x**2"),
        ("sin(x)/x", {"mode": "limit"}, "1"),
        ("1/x", {"mode": "limit", "point": "oo"}, "0"),
        ("exp(x)", {"mode": "series", "order": 3}, "1 + x + x**2/2 + O(x**3)"),
        ("[[1, 2], [3, 4]] * [[0, 1], [1, 0]]", {"mode": "matrix"}, "Matrix([[2, 1], [4, 3]])"),
        ("det([[1, 2], [3, 4]])", {"mode": "matrix"}, "-2"),
        ("inv([[2, 0], [0, 4]])", {"mode": "matrix"}, "Matrix([[1/2, 0], [0, 1/4]])"),
    ],
)
async def test_calculations(expression: str, options: dict[str, Any], value: str) -> None:
    assert await calculated(expression, **options) == value


@pytest.mark.parametrize(
    ("expression", "options"),
    [
        ("", {}),
        ("((", {}),
        ("1/0", {}),
        ("2 + 2 = 4", {}),
        ("x = y = z", {"mode": "solve"}),
        ("x + y", {"mode": "derive"}),
        ("x", {"mode": "nonsense"}),
        ("x", {"mode": "derive", "order": 21}),
        ("x", {"mode": "derive", "wrt": "not a name"}),
        ("[[1, 2], [3]]", {}),
        ("1 if x else 2", {}),
        ("'text' * 9", {}),
        ("x < 2", {}),
        ("1" * 1001, {}),
        ("9" * 300, {}),
    ],
)
async def test_what_cannot_be_calculated_is_an_error(expression: str, options: dict[str, Any]) -> None:
    assert (await calculator(expression, **options))["status"] == "error"


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "x.__class__",
        "(lambda: 1)()",
        "[i for i in (1, 2)]",
        "open('/etc/passwd')",
        "solve(x)",
        "sqrt(*[4])",
        "Symbol('x')",
        "x[0]",
        "f'{x}'",
    ],
)
async def test_an_expression_is_never_run_as_python(expression: str) -> None:
    assert (await calculator(expression))["status"] == "error"


@pytest.mark.parametrize(
    "expression",
    ["9**9**9", "(9**999)**999", "2**(10**6)", "factorial(10**9)", "2**(10**400)"],
)
async def test_a_result_that_would_not_end_is_refused_at_once(expression: str) -> None:
    result = await calculator(expression)
    assert result["status"] == "error"
    assert "too long" not in text(result), "not after the processor time that one may take"


async def test_work_that_does_not_end_is_ended_and_the_next_calculation_works() -> None:
    began = time.monotonic()
    result = await calculator("(a + b + c + d + f + g + h + k)**900")
    assert result == {"status": "error", "content": [{"text": "The calculation takes too long."}]}
    assert time.monotonic() - began < 30
    assert await calculated("1 + 1") == "2"


async def test_calculations_at_once_do_not_mix() -> None:
    numbers = range(4 * (os.process_cpu_count() or 1))
    assert await asyncio.gather(*(calculated(f"{n} * {n}") for n in numbers)) == [str(n * n) for n in numbers]


def chart(result: dict[str, Any]) -> dict[str, Any]:
    assert result["status"] == "success", result
    shown = json.loads(text(result))
    assert shown["success"] is True
    assert shown["message"]
    drawn: dict[str, Any] = shown["chart_data"]
    return drawn


async def test_a_bar_chart() -> None:
    data = [{"x": "Mon", "y": 1}, {"x": "Tue", "y": 2, "note": "kept"}]
    assert chart(await create_visualization("bar", data, "Visits", "day", "visits")) == {
        "chartType": "bar",
        "config": {"title": "Visits", "description": "visits by day", "xAxisKey": "x"},
        "data": data,
        "chartConfig": {"y": {"label": "Value", "color": "hsl(var(--chart-1))"}},
    }


async def test_a_pie_chart_takes_the_names_that_models_use() -> None:
    names = ["segment", "name", "label", "category", "key", "name"]
    values = ["value", "count", "amount", "total", "size", "value"]
    data = [{name: f"s{n}", value: n} for n, (name, value) in enumerate(zip(names, values, strict=True))]
    data[1]["color"] = "red"
    drawn = chart(await create_visualization("pie", data))
    assert drawn["config"]["xAxisKey"] is None
    assert [(point["segment"], point["value"]) for point in drawn["data"]] == [(f"s{n}", n) for n in range(6)]
    colours = [entry["color"] for entry in drawn["chartConfig"].values()]
    assert colours == ["hsl(var(--chart-1))", "red", *(f"hsl(var(--chart-{n}))" for n in (3, 4, 5, 1))]
    assert list(drawn["chartConfig"].values())[5]["label"] == "s5"


COLOURS = [
    "red",
    "RebeccaPurple",
    "#abc",
    "#abcd",
    "#A1b2C3",
    "#a1b2c3d4",
    "rgb(1, 2, 3)",
    "rgba(1,2,3,.5)",
    "rgb(10% 20% 30%)",
]
COLOURS += [
    "rgb(1 2 3 / 50%)",
    "hsl(120, 50%, 50%)",
    "hsl(120deg 50% 50%)",
    "hsla(0, 1.5%, 2%, 0.5)",
    "hsl(var(--chart-3))",
]
COLOURS += ["var(--chart-1)", "transparent"]
NO_COLOURS: list[Any] = [
    "reddish",
    "#ab",
    "#abcde",
    "#ggg",
    "rgb(1,2)",
    "rgb(1,2,3,4,5)",
    "rgb(1 2, 3)",
    "rgb(1111,2,3)",
]
NO_COLOURS += [
    "red;background:url(//example.com)",
    "red}",
    "url(x)",
    "</style><script>",
    "var(--secret)",
    "var(--chart-9)",
]
NO_COLOURS += [
    "hsl(var(--chart-1)",
    "var(--chart-1))",
    "expression(alert(1))",
    "red\n",
    " red",
    "#abc\n",
    "rgb(\u0661,2,3)",
]
NO_COLOURS += [5, True, ["red"], {"r": 1}, "r" * 1_000_000, "rgb(" + " " * 1000 + "1,2,3)"]


def shown(value: object) -> str:
    return repr(value)[:30]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_colour_of_an_item_is_drawn(colour: str) -> None:
    drawn = chart(await create_visualization("pie", [{"segment": "a", "value": 1, "color": colour}]))
    assert drawn["chartConfig"]["a"]["color"] == colour
    drawn = chart(await create_visualization("bar", [{"x": "a", "y": 1, "fill": colour}]))
    assert drawn["data"] == [{"x": "a", "y": 1, "fill": colour}]


@pytest.mark.parametrize("colour", NO_COLOURS, ids=shown)
@pytest.mark.parametrize("name", ["color", "fill", "stroke"])
@pytest.mark.parametrize("chart_type", ["pie", "bar", "line"])
async def test_what_is_no_colour_is_an_error(chart_type: str, name: str, colour: Any) -> None:
    """A client writes it into a style sheet."""
    item = {"segment": "a", "value": 1, "x": "a", "y": 1}
    result = await create_visualization(chart_type, [item, item | {name: colour}])
    assert result["status"] == "error"
    told = json.loads(text(result))
    assert told == {"success": False, "chart_type": chart_type, "error": told["error"]}
    assert told["error"].startswith(f"Item 2 has a {name} that is none.")
    assert len(told["error"]) < 200


@pytest.mark.parametrize("nothing", [None, ""])
async def test_an_item_without_a_colour_gets_one(nothing: str | None) -> None:
    drawn = chart(await create_visualization("pie", [{"segment": "a", "value": 1, "color": nothing}]))
    assert drawn["chartConfig"]["a"]["color"] == "hsl(var(--chart-1))"


@pytest.mark.parametrize(
    ("chart_type", "data"),
    [
        ("radar", [{"x": 1, "y": 2}]),
        ("bar", []),
        ("pie", []),
        ("bar", [{"x": 1, "y": 2}, {"x": 1}]),
        ("line", [{"y": 1}]),
        ("pie", [{"value": 1}]),
        ("pie", [{"name": "a"}]),
    ],
)
async def test_a_chart_that_cannot_be_drawn_is_an_error_in_json(chart_type: str, data: list[dict[str, Any]]) -> None:
    result = await create_visualization(chart_type, data)
    assert result["status"] == "error"
    told = json.loads(text(result))
    assert told == {"success": False, "error": told["error"], "chart_type": chart_type}
    assert told["error"]


async def test_the_browser_tools_are_switched_off() -> None:
    answers = [
        await browser.browser_navigate("https://example.com"),
        await browser.browser_act("click"),
        await browser.browser_extract("title", {}),
        await browser.browser_get_page_info(),
    ]
    assert {answer["status"] for answer in answers} == {"error"}
    assert len({id(answer) for answer in answers}) == 4
