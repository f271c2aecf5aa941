"""Parameters that a deployment keeps in Systems Manager."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apis.shared.aws.client import ServiceClient, ssm
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success, railway

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@railway
async def first_parameter(
    names: Sequence[str], client: "ServiceClient[SSMClient]" = ssm
) -> Result[str | None, ErrorDetail]:
    """The value of the first of these that there is and that is not blank, None without any."""
    answer = (await client.call(lambda caller: caller.get_parameters(Names=list(names)))).unwrap()
    found = {one.get("Name"): one.get("Value", "").strip() for one in answer.get("Parameters", ())}
    return Success(next((value for name in names if (value := found.get(name))), None))
