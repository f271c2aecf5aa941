"""What a provider says of its models, as far as it says it."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from apis.shared.records import Record, Texts

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class FoundationModel(Record):
    """Of Bedrock."""

    model_id: str
    model_name: _Text = ""
    provider_name: _Text = ""
    input_modalities: Texts = Field(default_factory=list)
    output_modalities: Texts = Field(default_factory=list)
    customizations_supported: Texts = Field(default_factory=list)
    inference_types_supported: Texts = Field(default_factory=list)
    response_streaming_supported: bool = False
    model_lifecycle: Annotated[
        str | None, BeforeValidator(lambda value: value.get("status") if isinstance(value, dict) else value)
    ] = None


class GeminiModel(Record):
    """`display_name` is the name where the provider gives none."""

    name: str
    base_model_id: str | None = None
    version: str | None = None
    display_name: str
    description: str | None = None
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: Texts = Field(default_factory=list)
    thinking: bool | None = None
    temperature: float | None = None
    max_temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


class OpenAIModel(Record):
    """`created` is in epoch seconds."""

    id: str
    created: int | None = None
    owned_by: _Text = ""
    object: str | None = None

    @property
    def order(self) -> tuple[bool, int, str]:
        """The newest first; what does not say when it was made is older than all."""
        return self.created is None, -(self.created or 0), self.id
