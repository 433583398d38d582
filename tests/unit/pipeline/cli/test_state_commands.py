"""`state show` and `state move` on what real publishers left."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.app import UserError
from pipeline.cli.stored.lines import size
from pipeline.cli.stored.move import move
from pipeline.cli.stored.show import show
from pipeline.control.leases import StateLock
from pipeline.control.publisher_states import publisher_states
from tests.fakes_publishers import Run, dump, lived

SITE = """\
version: 1
site: {{name: yard, timezone: Etc/UTC}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [224x392]}}
cameras:
  gate: {{source: {{url: "rtsp://127.0.0.1:9/x"}}, heads: [embedding]}}
sinks: {{jsonl: {{path: {folder}/out}}}}
runtime: {{ray: local, state_dir: {folder}/state}}
outbox: {{max_bytes: {bound}}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(folder=tmp_path, bound="8MiB"), encoding="utf-8")
    return path


@pytest.fixture
def left(site: Path) -> Path:
    """The state of a run that ended."""
    lived(site.parent).close()
    return site.parent / "state"


def test_show_says_what_each_publisher_keeps_of_each_camera(site, left, capsys):
    show(site)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{left}: 1 publisher, 5 cameras"
    assert said[1].startswith("publish-0    5 cameras, 5 episodes active, 1 muted, ")
    assert said[2].startswith("  archive: lease 17, active: too_close/1, ")
    assert any(line.startswith("  gate: lease 17, active: too_close/1, view/gate@1, ") for line in said)
    assert any(line.startswith("  yard: lease 17, active: too_close/1, muted: all rules, ") for line in said)


def test_a_dry_run_says_where_everything_would_go_and_changes_nothing(site, left, capsys):
    before = dump(left)
    move(site, publishers=4, dry_run=True)
    said = capsys.readouterr().out
    assert "would move to 4 publishers\npublish-0    1 camera (dock-03), 1 episode active, " in said
    assert "publish-1    2 cameras (archive, yard), 2 episodes active, 1 muted, " in said
    assert "done" not in said
    assert dump(left) == before
    assert list(publisher_states(left)) == [0]


def test_a_move_says_the_same_and_does_it_and_what_to_write_then(site, left, capsys):
    move(site, publishers=4, dry_run=True)
    would = capsys.readouterr().out.replace("would move", "moved")
    before = dump(left)
    move(site, publishers=4)
    end = f"done. Set `runtime: {{publishers: 4}}` in {site}, which says 1\n"
    assert capsys.readouterr().out == would + end
    assert dump(left) == before
    assert list(publisher_states(left)) == [0, 1, 2, 3]
    Run(site.parent, 4).close()
    move(site, publishers=1)
    assert capsys.readouterr().out.endswith("\ndone.\n")
    move(site, publishers=1)
    assert capsys.readouterr().out.endswith("\nnothing to move.\n")


def test_an_outbox_that_becomes_larger_than_its_bound_is_told(site, capsys):
    lived(site.parent, 4).close()
    site.write_text(SITE.format(folder=site.parent, bound="4KiB"), encoding="utf-8")
    move(site, publishers=1, dry_run=True)
    assert "above outbox.max_bytes (4.1 kB of " in capsys.readouterr().out


def test_what_an_interrupted_move_left_is_put_right_and_said(site, left, capsys):
    (left / "publishers-moving-to-3").mkdir()
    show(site)
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("a move to 3 publishers was interrupted before it changed anything; its rest is removed")
    assert not (left / "publishers-moving-to-3").exists()


def test_a_running_pipeline_keeps_its_state_to_itself(site, left):
    lock = StateLock(left)
    for command in (lambda: show(site), lambda: move(site, publishers=4)):
        with pytest.raises(
            UserError, match=r"is in use by process \d+: expected a pipeline that does not run"
        ) as caught:
            command()
        assert caught.value.exit_code == 3
    lock.release()


def test_where_no_pipeline_ever_ran_nothing_is_made(site):
    with pytest.raises(UserError, match=r"no state in .*: expected the state_dir of .* once it has run"):
        show(site)
    assert not (site.parent / "state").exists()
    (site.parent / "state").mkdir()
    with pytest.raises(UserError, match="no publisher has left a state in "):
        move(site, publishers=2)


@pytest.mark.parametrize(("num_bytes", "text"), [(0, "0 B"), (999, "999 B"), (41_234, "41.2 kB"), (2**30, "1.07 GB")])
def test_sizes_are_short(num_bytes, text):
    assert size(num_bytes) == text
