import numpy as np

from operators.results import ViewSample
from operators.scene.subjects import view_tokens
from operators.scene.view_learner import SAMPLES_FOR_FIRST_VIEW, ViewLearner

GRID = (4, 6)
SECOND = 1_000_000_000


def sample(seed: int, luma: float = 100.0, scene: int = 0, depth: float = 5.0) -> ViewSample:
    directions = np.random.default_rng(scene).normal(size=(24, 16))
    noise = np.random.default_rng(1000 + seed).normal(size=(24, 16))
    return ViewSample(np.full(GRID, np.log(depth), np.float16), view_tokens(directions + 0.02 * noise), luma)


def feed(learner, samples, start=0, step_seconds=2.0, occupied=None):
    views = []
    for index, each in enumerate(samples):
        seq = start + index
        learner, view = learner.add(each, (1, seq), int(seq * step_seconds * SECOND) + SECOND, occupied)
        if view is not None:
            views.append(view)
    return learner, views


def test_first_view_after_five_samples_knows_one_light():
    learner, views = feed(ViewLearner(), [sample(i) for i in range(4)])
    assert views == []
    learner, views = feed(learner, [sample(4)], start=4)
    assert len(views) == 1
    assert views[0].is_one_light


def test_a_second_light_makes_a_new_version_with_two():
    learner, _ = feed(ViewLearner(), [sample(i) for i in range(5)])
    learner, views = feed(learner, [sample(i, luma=40.0) for i in range(3)], start=5)
    assert [view.num_lights for view in views] == [2]
    # The same brightness, but other textures (a shadow edge everywhere): a light of its own too.
    learner, views = feed(learner, [sample(i, luma=100.0, scene=7) for i in range(3)], start=8)
    assert [view.num_lights for view in views] == [3]


def test_a_repeated_sample_changes_nothing():
    learner, _ = feed(ViewLearner(), [sample(i) for i in range(3)])
    again, view = learner.add(sample(2), (1, 2), 10 * SECOND)
    assert view is None
    assert again is learner


def test_samples_are_wanted_often_first_then_rarely_and_never_in_an_episode():
    learner = ViewLearner()
    assert learner.wants_sample(0)
    assert not learner.wants_sample(0, is_armed=True)
    learner, _ = feed(learner, [sample(0)])
    assert not learner.wants_sample(2 * SECOND)
    assert learner.wants_sample(3 * SECOND)
    learner, _ = feed(learner, [sample(i) for i in range(1, SAMPLES_FOR_FIRST_VIEW)], start=1)
    last = learner.last_sample_ns
    assert not learner.wants_sample(last + 59 * SECOND)
    assert learner.wants_sample(last + 60 * SECOND)


def test_what_a_subject_covers_is_not_learnt_until_it_is_absorbed():
    learner, _ = feed(ViewLearner(absorb_after_seconds=100.0), [sample(i) for i in range(5)])
    parked_tokens = view_tokens(np.random.default_rng(77).normal(size=(24, 16)))
    occupied = np.zeros(GRID, bool)
    occupied[2, 2:5] = True
    where = occupied.ravel()

    def with_parked(index):
        each = sample(index)
        each.tokens[where] = parked_tokens[where]
        each.log_depth[occupied] = np.log(3.0)
        return each

    parked = {"step_seconds": 10.0, "occupied": occupied}
    learner, views = feed(learner, [with_parked(i) for i in range(5, 14)], start=5, **parked)
    assert views == []  # 50 s to 130 s: present for 80 s
    learner, views = feed(learner, [with_parked(i) for i in range(14, 17)], start=14, **parked)
    assert len(views) == 1  # absorbed at 100 s of presence
    assert views[0].novelty(parked_tokens)[where].max() < 0.05
    np.testing.assert_allclose(views[0].log_depth[occupied], np.log(3.0), atol=1e-2)
    np.testing.assert_allclose(views[0].log_depth[~occupied], np.log(5.0), atol=1e-2)
    assert views[0].novelty(sample(99).tokens)[where].max() < 0.05  # the empty place is still known


def test_state_survives_bytes_and_goes_on_equally():
    learner, _ = feed(ViewLearner(absorb_after_seconds=60.0, made_by="x"), [sample(i) for i in range(4)])
    occupied = np.zeros(GRID, bool)
    occupied[1, 1] = True
    learner, _ = learner.add(sample(4, luma=30.0), (1, 4), 20 * SECOND, occupied)
    again = ViewLearner.from_bytes(learner.to_bytes())
    assert again.to_bytes() == learner.to_bytes()
    _, one = feed(learner, [sample(i) for i in range(5, 9)], start=20)
    _, two = feed(again, [sample(i) for i in range(5, 9)], start=20)
    assert [view.to_bytes() for view in one] == [view.to_bytes() for view in two]
    assert len(one) >= 1


def test_the_state_is_bounded():
    learner = ViewLearner()
    for light in range(12):
        learner, _ = feed(learner, [sample(i, luma=5 * 1.5**light) for i in range(9)], start=9 * light)
    assert len(learner.lights) == 6
    assert max(len(light.samples) for light in learner.lights) == 5


def test_seeded_lights_count_at_once():
    learner = ViewLearner().seeded([[sample(i) for i in range(3)], [sample(i, luma=30.0) for i in range(3)]])
    assert len(learner.learnt_lights()) == 2
    learner, views = feed(learner, [sample(i, luma=10.0) for i in range(3)])
    assert [view.num_lights for view in views] == [3]


def test_a_sample_of_another_shape_begins_a_new_view():
    learner, _ = feed(ViewLearner(made_by="m"), [sample(0)] * 6)
    assert learner.last_lights == 1
    other = ViewSample(np.zeros((2, 2), np.float16), np.zeros((4, 16), np.float16), 100.0)
    anew, view = learner.add(other, (1, 500), 500 * SECOND)
    assert view is None
    assert anew.last_lights == 0
    assert [len(light.samples) for light in anew.lights] == [1]
    assert anew.made_by == "m"


def test_a_person_who_asks_gets_a_version_after_five_samples_whatever_stands_there_or_is_going_on():
    learner, _ = feed(ViewLearner(), [sample(i) for i in range(5)])
    asked = learner.ask(10.0, is_anew=False)
    last = 8 * SECOND + SECOND
    assert asked.wants_sample(last + 1, is_armed=True)
    occupied = np.ones(GRID, bool)
    asked = ViewLearner.from_bytes(asked.to_bytes())
    asked, views = feed(asked, [sample(i, luma=40.0) for i in range(5)], start=5, occupied=occupied)
    assert [view.num_lights for view in views][-1] == 2
    assert asked.asked is None
    assert not asked.wants_sample(asked.last_sample_ns + SECOND, is_armed=True)


def test_a_person_may_have_it_forget_what_it_saw_elsewhere():
    learner, _ = feed(ViewLearner(), [sample(i) for i in range(5)])
    learner, _ = feed(learner, [sample(i, luma=40.0) for i in range(3)], start=5)
    learner, views = feed(learner.ask(10.0, is_anew=True), [sample(i, scene=9) for i in range(5)], start=8)
    assert [view.num_lights for view in views] == [1]
    assert np.allclose(views[0].references[0], sample(0, scene=9).tokens, atol=0.05)


def test_an_absorbed_thing_is_counted_and_its_place_tells_nothing_of_a_moved_camera():
    occupied = np.zeros(GRID, bool)
    occupied[1, 2:4] = True
    learner, _ = feed(ViewLearner(absorb_after_seconds=600.0), [sample(i) for i in range(5)])
    learner, _ = feed(learner, [sample(i, depth=4.0) for i in range(4)], start=5, step_seconds=200.0, occupied=occupied)
    assert learner.absorptions == 1
    assert learner.unsteady.reshape(GRID).tolist() == occupied.tolist()
    again = ViewLearner.from_bytes(learner.to_bytes())
    assert (again.absorptions, again.unsteady.sum()) == (1, 2)
