import pickle
import traceback

import av.error
import pytest

from pipeline.errors import ConnectError, DecodeError, SourceError, StreamStalled
from pipeline.sources.video_errors import CODES, Attempt, code_of, translate

CANARY = "c4n4ry"
URL = f"rtsp://admin:{CANARY}@camera.example/{CANARY}"
FOREIGN = [
    kind for kind in vars(av.error).values() if isinstance(kind, type) and issubclass(kind, av.error.FFmpegError)
]


def attempt(phase="open", **changes):
    return Attempt("dock-03", "rtsp://***@camera.example/main", phase, **changes)


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_every_class_of_pyav_is_mapped_by_name(kind):
    assert kind in CODES


@pytest.mark.parametrize("phase", ["open", "read"])
@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_nothing_of_the_foreign_error_survives(kind, phase):
    def adapter():
        try:
            raise kind(5, f"could not open {URL}", URL)
        except av.error.FFmpegError as error:
            raise translate(error, attempt(phase)) from None

    with pytest.raises(SourceError) as caught:
        adapter()
    ours = caught.value
    assert CANARY not in "".join(traceback.format_exception(ours)) + repr(ours.args) + repr(vars(ours))
    assert pickle.loads(pickle.dumps(ours)).where == "dock-03"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (av.error.HTTPUnauthorizedError, "unauthorized"),
        (av.error.HTTPNotFoundError, "not_found"),
        (av.error.ConnectionRefusedError, "refused"),
        (av.error.TimeoutError, "timeout"),
        (av.error.ExitError, "timeout"),
        (av.error.ProtocolNotFoundError, "unsupported"),
    ],
)
def test_codes_while_opening(kind, code):
    error = translate(kind(1, "x"), attempt())
    assert isinstance(error, ConnectError)
    assert error.code == code


def test_a_peer_that_accepts_and_says_nothing_timed_out():
    silent = av.error.InvalidDataError(1, "x")
    assert translate(silent, attempt(waited_seconds=5.0, timeout_seconds=5.0)).code == "timeout"
    assert translate(silent, attempt(waited_seconds=0.1, timeout_seconds=5.0)).code == "unsupported"


def test_a_plain_io_error_is_told_apart_by_what_is_known_besides():
    failed = av.error.OSError(5, "x")
    assert translate(failed, attempt(has_name=False)).code == "dns"
    assert translate(failed, attempt(is_tls=True)).code == "tls"
    assert translate(failed, attempt()).code == "refused"
    refused = av.error.ConnectionRefusedError(111, "x")
    assert translate(refused, attempt(is_tls=True)).code == "refused"


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (av.error.ExitError, StreamStalled),
        (av.error.ConnectionResetError, ConnectError),
        (av.error.InvalidDataError, DecodeError),
    ],
)
def test_classes_while_reading(kind, ours):
    assert type(translate(kind(1, "x"), attempt("read", timeout_seconds=3.0))) is ours


def test_a_reset_while_reading_is_an_end():
    assert translate(av.error.ConnectionResetError(104, "x"), attempt("read")).code == "ended"


def test_foreign_errors_of_other_origin_have_a_code_too():
    assert code_of(ValueError("x")) == "refused"
