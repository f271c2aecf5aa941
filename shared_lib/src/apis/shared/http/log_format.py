"""The form of a log record on standard error: one JSON object, of a size that nobody else decides."""

from typing import Any

from pythonjsonlogger.json import JsonFormatter

from apis.shared.logs import bounded, bounded_text

MESSAGE_LENGTH = 2_000
TRACEBACK_LENGTH = 16_000
_TRACEBACKS = ("exc_info", "stack_info")


class BoundedJson(JsonFormatter):
    """The last line: what a library writes into a message, a field or an exception's text is cut here too."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:  # Any: fields of records are free
        return {name: _field(name, value) for name, value in super().process_log_record(log_data).items()}


def _field(name: str, value: Any) -> Any:
    if name in _TRACEBACKS:
        return _traceback(value)
    if name == "message" and isinstance(value, str):
        return bounded_text(value, MESSAGE_LENGTH)
    return bounded(value)


def _traceback(value: Any) -> Any:
    """Its first and last lines: where it began, and what was raised."""
    text = value if isinstance(value, str) else "\n".join(map(str, value or ()))
    if len(text) <= TRACEBACK_LENGTH:
        return value
    half = TRACEBACK_LENGTH // 2
    return f"{text[:half]}\n... ({len(text)} characters) ...\n{text[-half:]}"
