"""mypy plugin: a Result that nobody handles is a type error."""

from mypy.plugin import Plugin


def plugin(_version: str) -> type[Plugin]:
    return Plugin
