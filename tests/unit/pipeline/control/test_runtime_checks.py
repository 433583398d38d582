"""What a start refuses about its state directory, before Ray or any actor is there."""

import pytest

from pipeline.control.leases import StateLock
from pipeline.control.runtime import _check_publishers
from pipeline.errors import PipelineError


def made_by(state_dir, count):
    for number in range(count):
        (state_dir / f"publish-{number}").mkdir()
    (state_dir / "artefacts").mkdir()  # no publisher's
    return state_dir


def test_a_fresh_state_takes_any_number_of_publishers(tmp_path):
    _check_publishers(tmp_path, 3)
    _check_publishers(tmp_path / "not-there-yet", 3)


@pytest.mark.parametrize("count", [1, 2])
def test_the_number_that_made_the_state_goes_on(tmp_path, count):
    _check_publishers(made_by(tmp_path, count), count)


@pytest.mark.parametrize(("count", "wanted"), [(1, 2), (2, 1)])
def test_another_number_of_publishers_is_refused_with_both_numbers(tmp_path, count, wanted):
    with pytest.raises(PipelineError, match=rf"expected runtime\.publishers: {count}, got {wanted}\. ") as caught:
        _check_publishers(made_by(tmp_path, count), wanted)
    assert caught.value.code == "publishers"
    assert str(tmp_path) in str(caught.value)


def test_a_second_lock_on_the_same_state_is_refused_until_the_first_is_released(tmp_path):
    first = StateLock(tmp_path / "state")
    with pytest.raises(PipelineError, match="is in use by process") as caught:
        StateLock(tmp_path / "state")
    assert caught.value.code == "state_in_use"
    StateLock(tmp_path / "other").release()
    first.release()
    StateLock(tmp_path / "state").release()
