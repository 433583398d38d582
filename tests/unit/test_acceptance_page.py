from tests.bench import acceptance


def test_a_part_that_is_run_again_leaves_what_the_page_says_of_the_other(monkeypatch):
    monkeypatch.setattr(acceptance, "_heading", lambda: "# Acceptance\n")
    parts = {"depth": "the depth\n", "labels": "old labels\n\n| a |\n", "alarm": "the alarm\n\n| b |\n"}
    before = acceptance.page("", parts)
    after = acceptance.page(before, {"labels": "new labels\n"})
    kept = "# Acceptance\n\n## Depth\n\nthe depth\n\n## Labels\n\nnew labels\n\n## Alarm\n\nthe alarm\n\n| b |\n"
    assert after == kept
    assert acceptance.page("", {"alarm": "the alarm\n"}).startswith("# Acceptance\n\n## Depth\n\nNot run.\n")
