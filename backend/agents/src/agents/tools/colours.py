"""What is a colour in CSS. A client writes it into a style sheet, where any other text could be an instruction."""

import re

_NUMBER = r"\d{1,3}(?:\.\d{1,6})?"
_SHARE = rf"(?:{_NUMBER}|\.\d{{1,6}})%?"
_HUE = rf"-?{_NUMBER}(?:deg)?"
_PERCENT = rf"{_NUMBER}%"


def _function(name: str, first: str, other: str) -> str:
    """With commas, or with blanks and a slash before the opacity."""
    commas = rf"{first}\s*,\s*{other}\s*,\s*{other}(?:\s*,\s*{_SHARE})?"
    blanks = rf"{first}\s+{other}\s+{other}(?:\s*/\s*{_SHARE})?"
    return rf"{name}a?\(\s*(?:{commas}|{blanks})\s*\)"


_WRITTEN = re.compile(
    "|".join(
        (
            r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})",
            _function("rgb", _SHARE, _SHARE),
            _function("hsl", _HUE, _PERCENT),
            r"(?:hsl\()?var\(--chart-[1-5]\)\)?",  # the client's own
        )
    ),
    re.IGNORECASE | re.ASCII,
)
_LONGEST = 100


def is_colour(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    return value.lower() in _NAMES or (_WRITTEN.fullmatch(value) is not None and value.count("(") == value.count(")"))


_NAMES = frozenset(
    """
    aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown
    burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan
    darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred
    darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink
    deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold
    goldenrod gray green greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush
    lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey
    lightpink lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow
    lime limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen
    mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin
    navajowhite navy oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise
    palevioletred papayawhip peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue
    saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue slateblue slategray slategrey snow
    springgreen steelblue tan teal thistle tomato transparent turquoise violet wheat white whitesmoke yellow
    yellowgreen
    """.split()  # noqa: SIM905 - reads better than 148 strings
)
