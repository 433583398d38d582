"""What Ray says of a node that died, kept from the screen."""

import logging

import pytest

from pipeline.control.ray_words import FILE, RaysWords, listen

DUMP = """Raylet is terminated. Termination is unexpected. Possible reasons include: (1) SIGKILL. Last 20 lines:
    [2026-11-30 22:31:22,310 I 1 1] (raylet) node_manager.cc:1: [state-dump] NodeManager:
    [state-dump] num pinned objects: 3
"""


@pytest.fixture
def words(tmp_path):
    found = RaysWords(tmp_path / "logs")
    yield found
    found.close()


def test_the_pages_of_a_node_that_died_are_kept_and_one_sentence_is_said_once(words, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # each agent of the node tells it
            words.take({"lines": [DUMP], "pid": "raylet", "is_err": False}, ignore_prefix=False)
    kept = (tmp_path / "logs" / FILE).read_text()
    assert kept.count("[state-dump] num pinned objects: 3") == 1
    (said,) = caplog.messages
    assert (
        said == f"a node of Ray has ended unexpectedly: the last lines of its own log are kept ({tmp_path}/logs/{FILE})"
    )


def test_a_node_that_is_missed_is_called_by_its_address(words, caplog):
    told = "The node with node id: c490 and address: 198.18.1.2 and node name: yard-2 has been marked dead because "
    with caplog.at_level(logging.WARNING):
        words.take(
            {"lines": [told + "the detector has missed too many heartbeats from it. This can happen when a \t(1)"]}
        )
    assert caplog.messages[0].startswith("the node at 198.18.1.2 does not answer Ray any more and counts as lost (")


def test_other_words_are_cut_to_their_first_sentence(words, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        words.take({"lines": ["The node is out of memory. To troubleshoot, read\n  a table", "  of it"]})
    assert caplog.messages == [f"Ray says: The node is out of memory ... ({tmp_path}/logs/{FILE})"]
    assert "a table" in (tmp_path / "logs" / FILE).read_text()


def test_a_secret_does_not_reach_the_file(words, tmp_path, monkeypatch):
    from pipeline.secrets import Secrets

    monkeypatch.setenv("CAMERA_PASSWORD", "swordfish-7")
    Secrets({"camera": "${env:CAMERA_PASSWORD}"}).resolve("camera")
    words.take({"lines": ["opened with swordfish-7"]})
    assert "swordfish" not in (tmp_path / "logs" / FILE).read_text()


def test_an_error_that_nobody_waits_for_is_kept_and_other_errors_of_ray_are_printed(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read when ray is imported: loopback alone
    from ray._private import worker

    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    monkeypatch.setattr(worker.logger, "handlers", [caplog.handler])
    words = listen(tmp_path)
    worker._unhandled_error_handler(RuntimeError("ray::PublishActor.pid()\n  pages of traceback"))
    worker.logger.error("something else")
    words.close()
    worker._unhandled_error_handler(RuntimeError("after it was closed"))
    assert "pages of traceback" in (tmp_path / FILE).read_text()
    assert not [each for each in caplog.messages if "traceback" in each]
    assert "something else" in caplog.messages[0]
    assert "after it was closed" in caplog.messages[-1]
