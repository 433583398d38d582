"""What the libraries behind fsspec mean when they refuse. Their texts may hold keys: only kind and code are told.

Source: botocore's exceptions module and s3fs's errors module, whose names are compared here.
"""

from __future__ import annotations

import os
import re

from pipeline.fetching.address import missing_library

_CODE = re.compile(r"[A-Za-z0-9._-]{1,40}")
_NO_KEYS = re.compile("Credential|Profile|Token|SSO|Login")
"""In the names of what is raised before anybody was asked."""
_REFUSED_KEYS = re.compile("AccessKey|Signature|Token|AccessDenied|Forbidden|User|401|403")
"""In codes."""
_NODES = "of every node"


class FolderError(OSError):
    """An address names a folder where a file is wanted."""


def refusal(scheme: str, error: Exception) -> str:
    """Why, and what to do: the end of a sentence that begins with the address."""
    if isinstance(error, ImportError):
        return f"cannot be read: {missing_library(scheme)}"
    if isinstance(error, FolderError):
        return "is a folder. Name a file in it"
    code = _code_of(error)
    if isinstance(error, FileNotFoundError):
        return f"is not there{_in_brackets(code)}. Look at the address"
    library = f"the library behind {scheme}://"
    if code is None and _NO_KEYS.search(type(error).__name__):
        return f"wants credentials that this machine does not give. Set those of {library} in the environment, {_NODES}"
    is_forbidden = isinstance(error, PermissionError) and error.errno is None  # else it is a folder of this machine
    if is_forbidden or (code is not None and _REFUSED_KEYS.search(code)):
        return (
            f"refuses the credentials that this machine gives{_in_brackets(code)}. Correct those of {library} in the "
            f"environment, {_NODES}, or let them read there"
        )
    if code is not None:
        return f"is refused{_in_brackets(code)}. Look at the address and at {_settings(scheme)}"
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else type(error).__name__
    return f"cannot be reached ({reason}). Look at the address, at {_settings(scheme)} and at the network"


def _settings(scheme: str) -> str:
    named = " (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION)" if scheme in {"s3", "s3a"} else ""
    return f"the settings of the library behind {scheme}://{named}"


def _code_of(error: BaseException) -> str | None:
    """What a server answered, as botocore keeps it; s3fs raises its own error from that, or while handling it."""
    found: BaseException | None = error
    while found is not None:
        response = getattr(found, "response", None)
        if isinstance(response, dict):
            code = str(response.get("Error", {}).get("Code", ""))
            return code if _CODE.fullmatch(code) else None
        found = found.__cause__ or found.__context__
    return None


def _in_brackets(code: str | None) -> str:
    return f" ({code})" if code is not None else ""
