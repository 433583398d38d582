from tests.bench import acceptance


def test_a_part_that_is_run_again_leaves_what_the_page_says_of_the_other(monkeypatch):
    monkeypatch.setattr(acceptance, "_heading", lambda: "# Acceptance\n")
    before = acceptance.page("", {"labels": "old labels\n\n| a |\n", "alarm": "the alarm\n\n| b |\n"})
    after = acceptance.page(before, {"labels": "new labels\n"})
    assert after == "# Acceptance\n\n## Labels\n\nnew labels\n\n## Alarm\n\nthe alarm\n\n| b |\n"
    assert acceptance.page("", {"alarm": "the alarm\n"}).startswith("# Acceptance\n\n## Labels\n\nNot run.\n")
