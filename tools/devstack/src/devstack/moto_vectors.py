"""What moto's S3 Vectors lacks: searching, pages, and the limits and refusals of the service."""

import heapq
import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult
from moto.s3vectors import urls
from moto.s3vectors.exceptions import ValidationError
from moto.s3vectors.models import Index, Vector
from moto.s3vectors.responses import S3VectorsResponse

MAX_VECTORS: Final = 500
MAX_KEYS_TO_GET: Final = 100
MAX_TOP_K: Final = 100
MAX_PAGE: Final = 1000
MAX_KEY_LENGTH: Final = 1024
MAX_FILTERABLE_BYTES: Final = 2048
MAX_METADATA_BYTES: Final = 40 * 1024
MAX_METADATA_KEYS: Final = 50
_DEFAULT_PAGE: Final = 500
# float32 keeps seven digits: a vector is at no distance from itself.
_DIGITS: Final = 6

type Json = Mapping[str, Any]  # Any, here and below: JSON


def install() -> None:
    """Change moto's classes in this process; to be called once, before the first request."""
    handlers: Any = S3VectorsResponse  # Any: mends moto in place
    for name, handle in (
        ("create_index", _create_index),
        ("put_vectors", _put_vectors),
        ("get_vectors", _get_vectors),
        ("delete_vectors", _delete_vectors),
        ("list_vectors", _list_vectors),
        ("query_vectors", _query_vectors),
    ):
        setattr(handlers, name, handle)
    handlers.parse_parameters = _parse_parameters
    urls.url_paths["{0}/QueryVectors$"] = S3VectorsResponse.dispatch


def _parse_parameters(self: S3VectorsResponse, request: Any) -> None:
    """The body as it is. Moto looks at each number of each vector, which takes 10 ms for one of 1024."""
    self.params = json.loads(request.data or "{}")


def _create_index(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    metric = given["distanceMetric"]
    if metric not in {"cosine", "euclidean"} or not 1 <= given["dimension"] <= 4096:
        raise ValidationError("The index is not as the service allows")
    backend: Any = self.s3vectors_backend  # Any: moto's types do not allow what its code does
    backend.create_index(
        vector_bucket_name=given.get("vectorBucketName"),
        vector_bucket_arn=given.get("vectorBucketArn"),
        index_name=given["indexName"],
        data_type=given["dataType"],
        dimension=given["dimension"],
        distance_metric=metric,
        tags=given.get("tags"),
    )
    index: Any = _index(self, given)  # Any: moto's index does not know which metadata is for filters
    index.not_filterable = frozenset(given.get("metadataConfiguration", {}).get("nonFilterableMetadataKeys", ()))
    return ActionResult({"indexArn": index.index_arn})


def _put_vectors(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    index = _index(self, given)
    vectors = _counted(given["vectors"], MAX_VECTORS, "vectors")
    for vector in vectors:
        _check_key(vector["key"])
        _check_numbers(index, vector["key"], vector["data"]["float32"])
        _check_metadata(index, vector["key"], vector.get("metadata") or {})
    for vector in vectors:
        data: Any = {"float32": _as_kept(vector["data"]["float32"])}
        index.vectors[vector["key"]] = Vector(vector["key"], data, vector.get("metadata") or {})
    return EmptyResult()


def _get_vectors(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    index = _index(self, given)
    keys = _counted(given["keys"], MAX_KEYS_TO_GET, "keys")
    found = [index.vectors[key] for key in dict.fromkeys(keys) if key in index.vectors]
    return ActionResult({"vectors": [_described(vector, given) for vector in found]})


def _delete_vectors(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    index = _index(self, given)
    for key in _counted(given["keys"], MAX_VECTORS, "keys"):
        index.vectors.pop(key, None)
    return EmptyResult()


def _list_vectors(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    index = _index(self, given)
    size = given.get("maxResults", _DEFAULT_PAGE)
    if not 1 <= size <= MAX_PAGE:
        raise ValidationError(f"maxResults must be between 1 and {MAX_PAGE}")
    # A token names the last key of its page, so that what is deleted meanwhile moves nothing out of sight.
    last = given.get("nextToken")
    rest = sorted(key for key in index.vectors if last is None or key > last)
    page = rest[:size]
    answer: dict[str, Any] = {"vectors": [_described(index.vectors[key], given) for key in page]}
    if len(rest) > size:
        answer["nextToken"] = page[-1]
    return ActionResult(answer)


def _query_vectors(self: S3VectorsResponse) -> ActionResult:
    given = self._get_params()
    index: Any = _index(self, given)
    top_k = given["topK"]
    if not 1 <= top_k <= MAX_TOP_K:
        raise ValidationError(f"topK must be between 1 and {MAX_TOP_K}")
    asked = given.get("queryVector", {}).get("float32") or []
    _check_numbers(index, "queryVector", asked)
    wanted = given.get("filter")
    accepts = _filter(wanted, index.not_filterable) if wanted else lambda _: True
    measure = _MEASURES[index.distance_metric]
    numbers = _as_kept(asked)
    candidates = [vector for vector in index.vectors.values() if accepts(vector.metadata)]
    nearest = heapq.nsmallest(
        top_k, ((measure(numbers, vector.data["float32"]), vector) for vector in candidates), key=lambda found: found[0]
    )
    vectors = []
    for distance, vector in nearest:
        described = _described(vector, {"returnMetadata": given.get("returnMetadata")})
        vectors.append({**described, "distance": distance} if given.get("returnDistance") else described)
    return ActionResult({"vectors": vectors, "distanceMetric": index.distance_metric})


def _as_kept(numbers: Sequence[float]) -> list[float]:
    """As the service keeps them, in 32 bits."""
    return array("f", numbers).tolist()


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    likeness = math.sumprod(one, other) / math.hypot(*one) / math.hypot(*other)
    return abs(round(1 - likeness, _DIGITS))


def _euclidean(one: Sequence[float], other: Sequence[float]) -> float:
    return round(math.dist(one, other), _DIGITS)


_MEASURES: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "cosine": _cosine,
    "euclidean": _euclidean,
}


def _index(self: S3VectorsResponse, given: Json) -> Index:
    named = bool(given.get("vectorBucketName") and given.get("indexName"))
    if named == bool(given.get("indexArn")):
        raise ValidationError("Must specify either indexArn or both vectorBucketName and indexName")
    backend: Any = self.s3vectors_backend  # Any: moto's types do not allow what its code does
    index: Index = backend.get_index(given.get("vectorBucketName"), given.get("indexName"), given.get("indexArn"))
    return index


def _described(vector: Vector, wanted: Json) -> dict[str, Any]:
    described: dict[str, Any] = {"key": vector.key}
    if wanted.get("returnData"):
        described["data"] = vector.data
    if wanted.get("returnMetadata"):
        described["metadata"] = vector.metadata
    return described


def _counted[T](given: list[T], at_most: int, what: str) -> list[T]:
    if not 1 <= len(given) <= at_most:
        raise ValidationError(f"{what} must have between 1 and {at_most} members")
    return given


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise ValidationError(f"A key must have between 1 and {MAX_KEY_LENGTH} characters")


def _check_numbers(index: Index, name: str, numbers: Sequence[Any]) -> None:
    if len(numbers) != index.dimension:
        raise ValidationError(f"Invalid record for key '{name}': vector must have length {index.dimension}")
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ValidationError(f"Invalid record for key '{name}': vector must hold numbers")
    if index.distance_metric == "cosine" and not any(numbers):
        raise ValidationError(f"Invalid record for key '{name}': zero vectors have no direction")


def _check_metadata(index: Any, key: str, metadata: Json) -> None:
    filterable = {name: value for name, value in metadata.items() if name not in index.not_filterable}
    too_much = _size(filterable) > MAX_FILTERABLE_BYTES or _size(metadata) > MAX_METADATA_BYTES
    if too_much or len(metadata) > MAX_METADATA_KEYS:
        raise ValidationError(f"Invalid record for key '{key}': there is too much metadata")
    if not all(_is_filterable(value) for value in filterable.values()):
        raise ValidationError(f"Invalid record for key '{key}': metadata is a string, a number, a boolean or a list")


def _is_filterable(value: Any) -> bool:
    members = value if isinstance(value, list) else [value]
    return all(isinstance(member, str | int | float | bool) for member in members)


def _size(metadata: Json) -> int:
    return len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) if metadata else 0


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, wanted: wanted in value if isinstance(value, list) else value == wanted,
    "$ne": lambda value, wanted: value != wanted,
    "$gt": lambda value, wanted: value > wanted,
    "$gte": lambda value, wanted: value >= wanted,
    "$lt": lambda value, wanted: value < wanted,
    "$lte": lambda value, wanted: value <= wanted,
    "$in": lambda value, wanted: any(member in wanted for member in (value if isinstance(value, list) else [value])),
    "$nin": lambda value, wanted: (
        not any(member in wanted for member in (value if isinstance(value, list) else [value]))
    ),
}

type Accepts = Callable[[Json], bool]


def _filter(wanted: Json, not_filterable: frozenset[str]) -> Accepts:
    """What a filter lets through. One that the service would refuse is refused."""
    parts: list[Accepts] = []
    for name, condition in wanted.items():
        if name in {"$and", "$or"}:
            inner = [_filter(one, not_filterable) for one in _counted(condition, MAX_VECTORS, name)]
            parts.append(_all_of(inner) if name == "$and" else _any_of(inner))
        elif name.startswith("$"):
            raise ValidationError(f"Invalid filter: {name}")
        elif name in not_filterable:
            raise ValidationError(f"Invalid filter: {name} is not filterable")
        else:
            conditions = condition if isinstance(condition, dict) else {"$eq": condition}
            parts += [_condition(name, operator, operand) for operator, operand in conditions.items()]
    if not parts:
        raise ValidationError("Invalid filter: it is empty")
    return _all_of(parts)


def _condition(name: str, operator: str, operand: Any) -> Accepts:
    if operator == "$exists":
        return lambda metadata: (name in metadata) is operand
    compare = _COMPARISONS.get(operator)
    if compare is None:
        raise ValidationError(f"Invalid filter: {operator}")
    is_order = operator in {"$gt", "$gte", "$lt", "$lte"}
    if is_order and not _is_number(operand):
        raise ValidationError(f"Invalid filter: {operator} compares numbers")

    def accepts(metadata: Json) -> bool:
        value = metadata.get(name)
        return value is not None and (not is_order or _is_number(value)) and compare(value, operand)

    return accepts


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all_of(parts: Sequence[Accepts]) -> Accepts:
    return lambda metadata: all(part(metadata) for part in parts)


def _any_of(parts: Sequence[Accepts]) -> Accepts:
    return lambda metadata: any(part(metadata) for part in parts)
