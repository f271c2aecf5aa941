"""The test chat of an assistant: its owner asks once, and nothing of it is kept but the usage."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.config import resolve_model_config
from agents.events import SearchReport, StreamEvent
from agents.system_prompt import build_system_prompt
from agents.tools.selection import ToolSelection
from agents.turn.accounting import Account
from agents.turn.plan import Plan
from agents.turn.turn import OpenTurn, Turn
from apis.shared.assistants.documents import DocumentService, get_document_service
from apis.shared.assistants.knowledge import KnowledgeBase, augmented, get_knowledge_base
from apis.shared.assistants.service import AssistantService, get_assistant_service
from apis.shared.auth.models import User
from apis.shared.costs.service import UsageRecorder, get_usage_recorder
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.lifecycle import background
from apis.shared.models.managed_models import get_managed_models, pricing_snapshot
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.quota.events import build_quota_warning_event
from apis.shared.quota.service import QuotaChecker, get_quota_checker, is_quota_enforcement_enabled
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.sessions.models import Message
from apis.shared.settings import InstitutionSettings, settings
from apis.shared.wiring import once


@dataclass(frozen=True, slots=True)
class OpenTestChat:
    session_id: str
    turn: OpenTurn
