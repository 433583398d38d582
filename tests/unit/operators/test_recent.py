from operators.recent import Recent


def test_what_was_asked_for_last_is_kept_and_the_room_may_grow():
    made = []
    recent = Recent(2, lambda name: made.append(name) or name.upper())
    assert [recent(name) for name in "abab"] == ["A", "B", "A", "B"]
    assert made == ["a", "b"]
    recent("c")
    assert (recent("b"), made) == ("B", ["a", "b", "c"])
    recent("a")
    assert made == ["a", "b", "c", "a"]
    recent.room = 4
    for name in "bcdabcd":
        recent(name)
    assert made == ["a", "b", "c", "a", "c", "d"]
