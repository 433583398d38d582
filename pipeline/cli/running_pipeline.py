"""A pipeline that runs elsewhere, asked over its HTTP interface with its token."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.app import UserError
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.config.schema import HttpConfig
from pipeline.secrets import Secrets

UNREACHABLE = 3

ConfigOption = Annotated[Path | None, typer.Option(help="Of the running pipeline: its address and token.")]
AddressOption = Annotated[str | None, typer.Option("--http", help="Its address instead, such as 127.0.0.1:9090.")]
TokenOption = Annotated[
    str, typer.Option(help="Where its token is: ${env:NAME} or ${file:PATH}, never the token itself.")
]
TOKEN_PLACE = "${env:DINOSTREAM_TOKEN}"  # noqa: S105 - where it is, not what it is


@dataclass(frozen=True, slots=True)
class RunningPipeline:
    """Where it listens, and what opens it."""

    address: str
    """host:port."""
    token: str

    def ask(self, path: str, request: dict[str, Any], *, wait_seconds: float, failed: str) -> dict[str, Any]:
        """Posts a request and returns the answer. `failed` begins the sentence that says what did not come about.

        Raises:
            UserError: it does not answer, refuses the token, or says why it cannot.
        """
        connection = http.client.HTTPConnection(self.address, timeout=wait_seconds)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, json.dumps(request), headers)
            answer = connection.getresponse()
            status, body = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            msg = f"the pipeline at {self.address} does not answer: {reason}. Does it run there?"
            raise UserError(msg, UNREACHABLE) from None
        finally:
            connection.close()
        if status != http.client.OK:
            why = body.get("detail", body) if isinstance(body, dict) else body
            if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
                raise UserError(f"the pipeline at {self.address} refuses the token: {why}")
            raise UserError(f"{failed}: {why}", UNREACHABLE if status >= http.client.INTERNAL_SERVER_ERROR else 2)
        return body


def running_pipeline(config: Path | None, address: str | None, token: str, what: str) -> RunningPipeline:
    """The pipeline of a configuration or at an address; with neither, the one on this machine at the usual port.

    Args:
        config: Names address and token.
        address: host:port.
        token: Where the token is; only without `config`.
        what: The page that the token opens.

    Raises:
        UserError: both are given, or there is no token.
    """
    if config is not None and address is not None:
        raise UserError("expected one of --config FILE and --http HOST:PORT, got both")
    try:
        if config is None:
            return RunningPipeline(address or HttpConfig().bind, Secrets({"token": token}).resolve("token"))
        return pipeline_of(load_config(config), what)
    except ConfigError as error:
        raise UserError(str(error)) from None
    except KeyError as error:
        raise UserError(f"--token: {error.args[0]}") from None


def pipeline_of(config: Config, what: str) -> RunningPipeline:
    """The one that runs with this configuration.

    Raises:
        UserError: it serves no page that `what` could be asked of.
        KeyError: its token is not there.
    """
    served = config.runtime.http
    if served is None or served.token is None:
        raise UserError(f"{config.path}: expected runtime.http with a token, which opens {what}, got none")
    return RunningPipeline(served.bind, config.secrets.resolve(served.token))
