import threading
from itertools import count

import pytest

from pipeline.control.bare_model import bare_rate


class Engine:
    """Takes a quarter of a second of its thread's own time a call."""

    def __init__(self):
        self.calls = count()
        self.spent = threading.local()

    def run(self, pixels, taps):
        assert pixels.shape == (2, 28, 42, 3)
        assert taps
        next(self.calls)
        self.spent.seconds = getattr(self.spent, "seconds", 0.0) + 0.25

    def monotonic(self):
        return getattr(self.spent, "seconds", 0.0)


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_rate_is_the_sum_of_the_lanes_without_their_first_call(lanes):
    engine = Engine()
    rate = bare_rate(engine, (28, 42), lanes=lanes, batch=2, seconds=1.0, clock=engine)
    assert rate == pytest.approx(lanes * 8.0)
    assert next(engine.calls) == lanes * 5
