import io
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipeline import secrets
from pipeline.redaction import RedactingFilter, redact_logs

CANARY = "zQcanaryXk"


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(secrets, "_literals", set())
    monkeypatch.setattr(secrets, "_pattern", None)
    secrets.register(f"admin:{CANARY}")


def logged(emit):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger(f"redaction-{id(stream)}")
    logger.propagate = False
    logger.addHandler(handler)
    emit(logger)
    return stream.getvalue()


def fail():
    raise OSError(f"rtsp://admin:other@10.0.0.5 {CANARY}")


def test_messages_arguments_and_tracebacks_of_logs_are_redacted():
    def emit(logger):
        logger.warning("cannot open %s", f"rtsp://10.0.0.5/{CANARY}/1")
        try:
            fail()
        except OSError:
            logger.exception("failed", stack_info=True)

    text = logged(emit)
    assert "cannot open rtsp://10.0.0.5/***/1" in text
    assert "OSError: rtsp://***@10.0.0.5 ***" in text
    assert CANARY not in text
    assert "other" not in text


def test_a_handler_that_formats_tracebacks_itself_finds_none():
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), None)
    try:
        fail()
    except OSError:
        record.exc_info = sys.exc_info()
    assert RedactingFilter().filter(record)
    assert record.exc_info is None
    assert CANARY not in str(vars(record))


def test_every_handler_of_the_root_logger_gets_the_filter_once():
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(handler)
    try:
        redact_logs()
        redact_logs()
        assert len(handler.filters) == 1
    finally:
        logging.getLogger().removeHandler(handler)


def run(script):
    """In a process of its own: it moves file descriptors about."""
    head = f"""
import os, subprocess, sys
from pipeline import secrets
from pipeline.redaction import RedactedOutput
CANARY = {CANARY!r}
secrets.register("admin:" + CANARY)
"""
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_what_native_code_and_children_write_is_redacted_and_comes_in_order():
    out, err = run("""
        print("before")
        with RedactedOutput() as output:
            print("python", CANARY)
            os.write(1, f"native {CANARY} 1\\n".encode())
            sys.stdout.flush()
            subprocess.run([sys.executable, "-c", f"import sys; sys.stderr.write('child {CANARY}')"], check=True)
            print("no newline", CANARY, end="")
            output.terminal.write("screen\\n")
        print("after")
    """)
    assert CANARY not in out + err
    assert out.startswith("before\n")
    assert "native *** 1\n" in out
    assert "python ***\n" in out
    assert "no newline ***" in out
    assert "screen\n" in out
    assert out.endswith("after\n")
    assert err == "child ***"


def test_a_secret_in_two_writes_is_one_line():
    out, _ = run("""
        with RedactedOutput(idle_seconds=60):
            os.write(1, b"said " + CANARY[:4].encode())
            os.write(1, CANARY[4:].encode() + b".")
    """)
    assert out == "said ***."


def test_an_unfinished_line_is_printed_after_a_while():
    out, _ = run("""
        read_end, write_end = os.pipe()
        with RedactedOutput(descriptors=(write_end,), idle_seconds=0.01):
            os.write(write_end, b"prompt> ")
            print(os.read(read_end, 100))
    """)
    assert out == "b'prompt> '\n"


def test_a_traceback_that_ends_the_block_is_redacted_too():
    out, err = run("""
        import traceback
        try:
            with RedactedOutput():
                try:
                    raise OSError(f"rtsp://u:{CANARY}@h.lan/")
                except OSError:
                    traceback.print_exc()
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert "OSError: rtsp://***@h.lan/" in err
    assert CANARY not in out + err
    assert out == "interrupted\n"


def test_much_output_passes_whole_and_a_child_that_stays_does_not_hold_us():
    out, _ = run("""
        with RedactedOutput():
            child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
            for number in range(20000):
                print(f"line {number} {CANARY}")
        child.kill()
        child.wait()
        print("done")
    """)
    lines = out.splitlines()
    assert lines == [f"line {number} ***" for number in range(20000)] + ["done"]
