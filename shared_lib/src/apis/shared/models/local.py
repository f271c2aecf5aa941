"""Managed models in local files: one JSON file per model."""

from pathlib import Path

from apis.shared.errors import ErrorDetail
from apis.shared.models.models import ManagedModel, naming, read_model
from apis.shared.result import Result, collect, railway
from apis.shared.storage.json_files import read_folder


class LocalManagedModels:
    """Without the folder there are none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        return (await self.list_all()).map(
            lambda models: next((model for model in models if model.model_id == model_id), None)
        )

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        files = await read_folder(self._folder, "*.json")
        documents = files.alt(lambda error: naming(Path(error.context.get("file", "")).stem, error)).unwrap()
        return collect(read_model(document, key=path.stem) for path, document in documents)
