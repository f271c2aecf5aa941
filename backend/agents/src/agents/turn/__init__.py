"""The chat turn: from a validated request to a stored, billed and streamed answer."""

from agents.turn.request import InlineFile, TurnRequest
from agents.turn.service import TurnService, get_turn_service
from agents.turn.turn import OpenTurn

__all__ = ["InlineFile", "OpenTurn", "TurnRequest", "TurnService", "get_turn_service"]
