"""Many linear heads at once, and each as if it were alone."""

import numpy as np
import pytest
import torch

from operators.heads.fit_grid import BATCH, RATES, balanced_loss, train_grid


def blobs(counts, seed=0, spread=1.0):
    """float32 (S, 6) around one corner per class, at odd scales and offsets, and shares."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    corners = np.random.default_rng(1).normal(size=(len(counts), 6)) * 3
    features = corners[labels] + spread * rng.normal(size=(len(labels), 6))
    return (features * [1, 100, 0.01, 1, 1, 0] + [0, 5000, 0, 0, 0, 7]).astype(np.float32), labels


def test_a_separable_problem_is_solved_at_any_scale_of_the_features():
    features, labels = blobs([30, 30, 30], spread=0.5)
    found = train_grid(features, np.eye(3)[labels], {"all": slice(0, 6)}, iterations=200)
    assert [each.rate for each in found] == list(RATES)
    unseen, truth = blobs([50, 50, 50], seed=9, spread=0.5)
    best = min(found, key=lambda each: balanced_loss(each.logits(unseen), np.eye(3)[truth]))
    assert (best.logits(unseen).argmax(axis=1) == truth).mean() > 0.98
    assert np.abs(best.weight[:, 5]).max() == 0  # a constant tells nothing


def test_heads_trained_together_equal_torch_alone():
    features, labels = blobs([40, 25])
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-3)
    shares = np.eye(2, dtype=np.float32)[labels]
    steps = 30
    found = train_grid(features, shares, {"some": slice(1, 4), "all": slice(0, 6)}, iterations=steps, seed=4)
    chance = torch.from_numpy((shares / shares.sum(axis=0)).sum(axis=1).astype(np.float64))
    rows = torch.multinomial(chance, steps * BATCH, True, generator=torch.Generator().manual_seed(4)).view(steps, BATCH)
    x, y = torch.from_numpy(features[:, 1:4]), torch.from_numpy(labels)
    x = (x - x.mean(dim=0)) / x.std(dim=0, unbiased=False)
    variance, directions = torch.linalg.eigh(x.T @ x / len(x))
    x = x @ directions / (variance + 0.01).sqrt()
    for candidate in (found[12], found[9]):
        layer = torch.nn.Linear(3, 2)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        trainer = torch.optim.SGD(layer.parameters(), lr=candidate.rate, momentum=0.9, weight_decay=0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(trainer, steps)
        for batch in rows:
            trainer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[batch]), y[batch]).backward()
            trainer.step()
            schedule.step()
        wanted = layer(x).detach().numpy()
        np.testing.assert_allclose(candidate.logits(features[:, 1:4]), wanted, atol=2e-4)


def test_a_rare_class_weighs_as_much_as_a_frequent_one():
    features, labels = blobs([970, 30], spread=4.0)
    found = train_grid(features, np.eye(2)[labels], {"all": slice(0, 6)}, iterations=300)
    said = found[-3].logits(features).argmax(axis=1)
    recalls = [(said[labels == label] == label).mean() for label in (0, 1)]
    assert abs(recalls[0] - recalls[1]) < 0.12
    assert min(recalls) > 0.6


def test_a_class_without_a_sample_is_refused():
    features, labels = blobs([5, 5])
    with pytest.raises(ValueError, match="samples of every class"):
        train_grid(features, np.eye(3)[labels], {"all": slice(0, 6)}, iterations=1)


def test_loss_that_overflowed_is_infinite_and_never_chosen():
    assert balanced_loss(np.array([[np.inf, 0.0]]), np.array([[1.0, 0.0]])) == np.inf
    assert balanced_loss(np.zeros((4, 2)), np.array([[1, 0], [1, 0], [1, 0], [0, 1]])) == pytest.approx(np.log(2))
