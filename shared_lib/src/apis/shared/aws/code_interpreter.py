"""AgentCore Code Interpreter: sessions in which code of a model runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from apis.shared.aws.client import ServiceClient, agentcore, code_runs
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Result, railway, require

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient

type Tool = Literal["executeCode", "readFiles", "listFiles"]
type RunResult = Mapping[str, Any]
"""What a tool of the session tells: `content`, `structuredContent`, `isError`. Any: a dictionary of the SDK."""

SESSION_SECONDS = 900
"""After which the service ends a session by itself."""


class CodeInterpreter:
    """One resource. Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(
        self,
        identifier: str,
        runs: "ServiceClient[BedrockAgentCoreClient]" = code_runs,
        control: "ServiceClient[BedrockAgentCoreClient]" = agentcore,
    ) -> None:
        self._identifier = identifier
        self._runs = runs
        self._control = control

    @railway
    async def start(self) -> Result[str, ErrorDetail]:
        """The id of a new session, which has to be stopped."""
        started = await self._control.call(
            lambda client: client.start_code_interpreter_session(
                codeInterpreterIdentifier=self._identifier,
                name="diagram",
                sessionTimeoutSeconds=SESSION_SECONDS,
            )
        )
        return require(started.unwrap().get("sessionId"), service_unavailable(None, reason="no session id"))

    async def run(
        self, session_id: str, tool: Tool, arguments: Mapping[str, Any]
    ) -> Result[Sequence[RunResult], ErrorDetail]:
        """All results of one call, which is sent once."""

        def call(client: "BedrockAgentCoreClient") -> Sequence[RunResult]:
            answer = client.invoke_code_interpreter(
                codeInterpreterIdentifier=self._identifier,
                sessionId=session_id,
                name=tool,
                arguments=arguments,  # type: ignore[arg-type]  # the stubs have a closed dictionary
            )
            return [event["result"] for event in answer.get("stream", ()) if "result" in event]

        return await self._runs.call(call)

    async def stop(self, session_id: str) -> Result[None, ErrorDetail]:
        stopped = await self._control.call(
            lambda client: client.stop_code_interpreter_session(
                codeInterpreterIdentifier=self._identifier, sessionId=session_id
            )
        )
        return stopped.map(lambda _: None)
