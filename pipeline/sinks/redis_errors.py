"""Redis's exceptions as ours: the one place that looks at them."""

from __future__ import annotations

import ssl

import redis.exceptions as foreign

from pipeline.errors import SinkError
from pipeline.secrets import redact_url

_TABLE: tuple[tuple[type[Exception], str, str], ...] = (
    (foreign.AuthenticationError, "unauthorized", "refuses the user or password: check `credentials`"),
    (foreign.AuthorizationError, "unauthorized", "refuses the user: check its ACL"),
    (foreign.AuthenticationWrongNumberOfArgsError, "unauthorized", "knows no users: give a password alone"),
    (foreign.ExternalAuthProviderError, "unauthorized", "refuses the user or password: check `credentials`"),
    (foreign.NoPermissionError, "unauthorized", "does not let this user write: check its ACL"),
    (foreign.BusyLoadingError, "loading", "is still loading its data"),
    (foreign.MaxConnectionsError, "unreachable", "has no free connection"),
    (
        foreign.OutOfMemoryError,
        "out_of_memory",
        "is out of memory (maxmemory, noeviction): raise it or lower max_bytes",
    ),
    (foreign.ReadOnlyError, "read_only", "is a read-only replica: give the address of the primary"),
    (foreign.MasterDownError, "replica", "is a replica whose primary is down"),
    (foreign.ClusterError, "cluster", "answers as a cluster: give a single server or a proxy"),
    (foreign.ClusterCrossSlotError, "cluster", "answers as a cluster: give a single server or a proxy"),
    (foreign.RedisClusterException, "cluster", "answers as a cluster: give a single server or a proxy"),
    (foreign.AskError, "cluster", "answers as a cluster: give a single server or a proxy"),
    (foreign.TryAgainError, "cluster", "answers as a cluster: give a single server or a proxy"),
    (foreign.TimeoutError, "timeout", "did not answer in time"),
    (TimeoutError, "timeout", "did not answer in time"),
    (foreign.ConnectionError, "unreachable", "cannot be reached, or closed the connection"),
    (OSError, "unreachable", "cannot be reached, or closed the connection"),
    (foreign.InvalidResponse, "protocol", "does not speak the Redis protocol"),
    (foreign.ResponseError, "refused", "refuses to write"),
    (foreign.RedisError, "client", "could not be used"),
    (foreign.ChildDeadlockedError, "client", "could not be used"),
    (foreign.IncorrectPolicyType, "client", "could not be used"),
)


def translate(error: Exception, url: str) -> SinkError:
    """What `error` means for the server at `url`. Its text is not repeated: it may quote commands and addresses.

    Every one of them is worth another try, since a server can be repaired while we run.
    """
    code, sentence = next(
        ((code, text) for kind, code, text in _TABLE if isinstance(error, kind)), ("client", "failed")
    )
    if code == "unreachable" and _is_tls(error):
        code, sentence = "tls", "fails the TLS handshake: check `rediss://` and the certificate"
    if type(error) is foreign.ResponseError and (word := str(error).split(" ", 1)[0]).isupper() and word.isalpha():
        sentence = f"{sentence} ({word})"
    return SinkError(f"Redis at {redact_url(url)} {sentence} [{type(error).__name__}]", code=code)


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE" in str(error) or "SSL" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
