"""Requests for temp URLs. Source: docs/protocol.md 9.2, 9.3."""

from talkwire.files.errors import FileSizeMissing
from talkwire.files.model import TempUrl, UploadClaim
from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.protocol.files import (
    GenerateUrlForDownloadFile,
    GenerateUrlForUploadFile,
    GenerateUrlResponse,
    TempUrlParameters,
)


async def generate_upload_url(
    services: Services, call: Call, body: GenerateUrlForUploadFile
) -> GenerateUrlResponse:
    """Answer `ms.GenerateURLForUploadFile`: a place to PUT one file, for a minute."""
    if body.file_size is None:
        raise FileSizeMissing
    claim = UploadClaim(size_bytes=body.file_size, file_type=body.file_type or "")
    return _answer(await services.files.open_upload(call.who, claim))


async def generate_download_url(
    services: Services, call: Call, body: GenerateUrlForDownloadFile
) -> GenerateUrlResponse:
    """Answer `ms.GenerateURLForDownloadFile`: a place to GET it, for a minute."""
    return _answer(await services.files.open_download(call.who, body.relative_path))


def _answer(url: TempUrl) -> GenerateUrlResponse:
    parameters = TempUrlParameters(temp_url_sig=url.signature, temp_url_expires=str(url.expires))
    return GenerateUrlResponse(relative_path=url.relative_path, query_params=parameters)
