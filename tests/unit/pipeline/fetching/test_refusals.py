"""What libraries raise, and the sentence that is made of it."""

import errno

import pytest

from pipeline.fetching.refusals import FolderError, refusal


class Answered(Exception):
    """As botocore keeps what a server said."""

    def __init__(self, code, message="AKSECRET said no"):
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}}


class NoCredentialsError(Exception):
    pass


def after(error, code):
    """As s3fs raises its own error while it handles botocore's."""
    error.__context__ = Answered(code)
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FolderError(), "is a folder. Name a file in it"),
        (FileNotFoundError("AKSECRET"), "is not there. Look at the address"),
        (after(FileNotFoundError("AKSECRET"), "NoSuchBucket"), "is not there (NoSuchBucket). Look at the address"),
        (after(PermissionError("AKSECRET"), "403"), "refuses the credentials that this machine gives (403). Correct"),
        (after(OSError(errno.EIO, "AKSECRET"), "XNoSuchUser"), "refuses the credentials that this machine gives (X"),
        (after(OSError(errno.EINVAL, "AKSECRET"), "400"), "is refused (400). Look at the address and at the settings"),
        (after(OSError(errno.EBUSY, "AKSECRET"), "SlowDown"), "is refused (SlowDown). Look"),
        (Answered("with AKSECRET in it"), "cannot be reached (Answered). Look"),
        (NoCredentialsError("AKSECRET"), "wants credentials that this machine does not give. Set those of the library"),
        (OSError(errno.ECONNRESET, "AKSECRET"), "cannot be reached (Connection reset by peer). Look"),
        (PermissionError(errno.EACCES, "Permission denied"), "cannot be reached (Permission denied). Look"),
        (ImportError("s3fs"), "cannot be read: no library for s3:// is installed. Install dinostream[s3]"),
    ],
)
def test_a_refusal_says_why_and_what_to_do_and_no_text_of_a_library(error, sentence):
    said = refusal("s3", error)
    assert said.startswith(sentence)
    assert "AKSECRET" not in said


def test_settings_are_named_where_they_are_known():
    assert "AWS_ENDPOINT_URL" in refusal("s3", OSError("x"))
    assert "AWS" not in refusal("gs", OSError("x"))
