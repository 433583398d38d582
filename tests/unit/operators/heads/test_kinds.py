"""The tables of heads hold together: what one place names, the others know."""

from typing import get_args

import pytest

from operators.heads.config import DepthHead, Gives, HeadConfig, HeadSection, KnnHead, SimilarityHead, kinds_giving
from operators.heads.kinds import HEAD_KINDS

STRUCTS: dict[str, type[HeadSection]] = {
    get_args(struct.model_fields["kind"].annotation)[0]: struct for struct in get_args(get_args(HeadConfig)[0])
}


def test_every_kind_of_the_file_is_a_head_section() -> None:
    assert all(issubclass(struct, HeadSection) for struct in STRUCTS.values())


def test_every_head_that_labels_has_a_struct_and_names_a_key_of_it() -> None:
    for name in HEAD_KINDS:
        assert STRUCTS[name].made_from in STRUCTS[name].model_fields, name


def test_heads_that_give_labels_or_similarity_are_in_the_table() -> None:
    giving = {name for name, struct in STRUCTS.items() if struct.gives - {"metres"}}
    assert giving == set(HEAD_KINDS)


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("metres", ["depth"]),
        ("subject_labels", ["knn", "classify"]),
        ("class_scores", ["knn", "classify", "words"]),
        ("similarity", ["similarity"]),
        ("class_shares", ["segment"]),
    ],
)
def test_what_rules_may_ask_of_which_kind(what: Gives, kinds: list[str]) -> None:
    assert kinds_giving(what) == kinds


def test_what_a_head_finds_wrong_with_itself() -> None:
    wrong = KnnHead.model_validate({"kind": "knn", "bank": "b", "unknown": {"false_unknown": "5"}})
    assert [place for place, _ in wrong.mistakes()] == [("unknown", "false_unknown")]
    assert not list(KnnHead(kind="knn", bank="b").mistakes())
    assert [place for place, _ in DepthHead(kind="depth", checkpoint="kiti_dpt").mistakes()] == [("checkpoint",)]
    for right in ("kitti_dpt", "mine.safetensors", "fit_for_view"):
        assert not list(DepthHead(kind="depth", checkpoint=right).mistakes())


def test_which_files_a_head_needs() -> None:
    assert list(SimilarityHead(kind="similarity", pictures="p").files()) == [("pictures", "p", "folder of pictures")]
    assert list(DepthHead(kind="depth", checkpoint="a/b").files()) == [("checkpoint", "a/b", "checkpoint")]
    assert not list(DepthHead(kind="depth", checkpoint="fit_for_view").files())
    assert DepthHead(kind="depth", checkpoint="fit_for_view").needs_view
