"""A bank: labelled pictures as vectors. A folder for people, bytes for the artefact store; never changed once made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operators.retrieval.vectors import SpaceMismatchError, VectorSet, Vote
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

_FILE = "bank.safetensors"
_REPORT = "report.json"
_KIND = "bank"


class BankError(ValueError):
    """A bank is missing, damaged, or cannot be made from what was given."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What the bank says of one vector."""

    shares: tuple[tuple[str, float], ...]
    """(class, vote share) best first; sums to 1 over all classes."""
    nearest: float
    """Cosine to the nearest picture of the best class."""
    is_unknown: bool


@dataclass(frozen=True, slots=True, repr=False)
class Bank:
    """Classes and their vectors: `cls` of whole pictures, `pooled` of the things in them where masks were given."""

    classes: tuple[str, ...]
    cls: VectorSet
    pooled: VectorSet | None = None
    made_with: str = ""
    """Name and weights of the backbone, for people."""

    def __repr__(self) -> str:
        return f"Bank({', '.join(self.classes)}; {len(self.cls.vectors)} pictures, version={self.version})"

    @property
    def version(self) -> str:
        """Name of the contents: equal banks have equal versions."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def vote(
        self,
        vectors: np.ndarray,
        space: str,
        *,
        pooled: bool = False,
        vote: Vote = "whitened",
        k: int = 20,
        temperature: float = 0.07,
        false_unknown: float = 0.05,
    ) -> list[Votes]:
        """What each vector looks like.

        Args:
            vectors: float (Q, D), any length.
            space: That they live in.
            pooled: Compare with the vectors of things instead of whole pictures.
            vote: `whitened`: see `whitening`; else see `vectors.vote_shares`.
            k: Neighbours, of `paper` and `balanced`.
            temperature: Of their vote.
            false_unknown: Share of its own pictures that leave-one-out may call unknown, per class.

        Raises:
            SpaceMismatchError: the bank's vectors live in another space.
            BankError: `pooled` is asked for and no picture had a mask.
        """
        chosen = self._set(pooled=pooled)
        cosines = chosen.cosines(vectors, space)
        shares = chosen.shares(vectors, space, len(self.classes), vote=vote, k=k, temperature=temperature)
        thresholds = chosen.thresholds(len(self.classes), false_unknown)
        return [
            self._votes(row, cosine, chosen.labels, thresholds) for row, cosine in zip(shares, cosines, strict=True)
        ]

    def nearest(self, vectors: np.ndarray, space: str, *, pooled: bool = False) -> list[tuple[tuple[str, float], ...]]:
        """Per vector the highest cosine of each class, best first. Raises as `vote` does."""
        chosen = self._set(pooled=pooled)
        result: list[tuple[tuple[str, float], ...]] = []
        for cosines in chosen.cosines(vectors, space):
            present = [index for index in range(len(self.classes)) if (chosen.labels == index).any()]
            best = [(self.classes[index], float(cosines[chosen.labels == index].max())) for index in present]
            result.append(tuple(sorted(best, key=lambda pair: -pair[1])))
        return result

    def _set(self, *, pooled: bool) -> VectorSet:
        if not pooled:
            return self.cls
        if self.pooled is None:
            raise BankError("the bank cannot label subjects: expected pictures with masks, got none. Build it again.")
        return self.pooled

    def _votes(self, shares: np.ndarray, cosines: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> Votes:
        order = np.argsort(-shares, kind="stable")
        best = int(order[0])
        nearest = float(cosines[labels == best].max())
        ranked = tuple((self.classes[index], float(shares[index])) for index in order)
        return Votes(ranked, nearest, is_unknown=bool(nearest < thresholds[best]))

    def to_bytes(self) -> bytes:
        """As a safetensors file; equal banks give equal bytes."""
        arrays: dict[str, np.ndarray] = {}
        spaces: dict[str, str] = {}
        names: dict[str, list[str]] = {}
        for name, each in (("cls", self.cls), ("pooled", self.pooled)):
            if each is not None:
                spaces[name] = each.space
                arrays |= {f"{name}.vectors": each.vectors, f"{name}.labels": each.labels, f"{name}.own": each.own}
                names |= {name: list(each.names)} if each.names else {}
        about = {"classes": list(self.classes), "spaces": spaces, "made_with": self.made_with, "names": names}
        return to_tensor_bytes(_KIND, arrays, about)

    @staticmethod
    def from_bytes(data: bytes) -> Bank:
        """What `to_bytes` wrote.

        Raises:
            BankError: it is not a bank.
        """
        try:
            arrays, about = from_tensor_bytes(_KIND, data)
            names = about.get("names", {})  # of banks that were made before pictures had names: none
            sets = {
                name: VectorSet(
                    space,
                    arrays[f"{name}.vectors"],
                    arrays[f"{name}.labels"],
                    arrays[f"{name}.own"],
                    tuple(names.get(name, ())),
                )
                for name, space in about["spaces"].items()
            }
            classes = tuple(str(name) for name in about["classes"])
            for name, each in sets.items():
                _check(name, each, len(classes))
            return Bank(classes, sets["cls"], sets.get("pooled"), about["made_with"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BankError(f"no bank: {error}. Build it again.") from None

    def save(self, folder: Path, report: dict[str, Any] | None = None) -> None:
        """Writes the folder; `report` is kept beside the vectors for people."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{_FILE}.part"
        part.write_bytes(self.to_bytes())
        part.replace(folder / _FILE)
        about = {"version": self.version, "classes": dict(self.counts()), "made_with": self.made_with}
        (folder / _REPORT).write_text(json.dumps({**about, **(report or {})}, indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Bank:
        """A folder that `save` wrote, or the file inside it.

        Raises:
            BankError: it is not there or is no bank.
        """
        file = path / _FILE if path.is_dir() else path
        if not file.exists():
            raise BankError(f"no bank: {file} does not exist. Make one with `bank build`.")
        try:
            return Bank.from_bytes(file.read_bytes())
        except BankError as error:
            raise BankError(f"{error} ({file})") from None

    def joined(self, more: Bank) -> Bank:
        """This bank and the pictures of `more`, of known classes or new ones.

        Where this bank has no masks, those of `more` are not used: a bank that labels subjects knows all of its classes
        by them.

        Raises:
            SpaceMismatchError: they live in different spaces.
            BankError: this bank labels subjects, and no picture of `more` has a mask.
        """
        classes = tuple(sorted({*self.classes, *more.classes}))
        pooled = None
        if self.pooled is not None:
            if more.pooled is None:
                raise BankError(
                    "the bank labels subjects, and none of the new pictures shows where its subject is: expected a "
                    "camera that knows its empty view, or pictures with masks"
                )
            pooled = _joined(classes, (self.classes, self.pooled), (more.classes, more.pooled))
        cls = _joined(classes, (self.classes, self.cls), (more.classes, more.cls))
        return Bank(classes, cls, pooled, self.made_with)

    def counts(self) -> list[tuple[str, int]]:
        """(class, pictures)."""
        return list(zip(self.classes, self.cls.sizes(len(self.classes)).tolist(), strict=True))


def _joined(
    classes: tuple[str, ...], first: tuple[tuple[str, ...], VectorSet], second: tuple[tuple[str, ...], VectorSet]
) -> VectorSet:
    """Both sets with labels that count in `classes`."""
    (_, old), (_, new) = first, second
    if old.space != new.space:
        raise SpaceMismatchError(
            f"vectors of different spaces: the bank's is {old.space[:16]}, the new pictures' is {new.space[:16]}. "
            "Build the bank again with the weights and shapes that the cameras use"
        )
    labels = [classes.index(names[label]) for names, vectors in (first, second) for label in vectors.labels]
    old_names = old.names or tuple(f"earlier/{row:06d}" for row in range(len(old.vectors)))
    return VectorSet.of(
        old.space, np.concatenate([old.vectors, new.vectors]), np.array(labels), (*old_names, *new.names)
    )


def _check(name: str, vectors: VectorSet, num_classes: int) -> None:
    """Of a set from a file.

    Raises:
        ValueError: its parts do not belong together.
    """
    count = len(vectors.vectors)
    if vectors.vectors.ndim != 2 or vectors.labels.shape != (count,) or vectors.own.shape != (count,):
        shapes = f"{vectors.vectors.shape}, {vectors.labels.shape} and {vectors.own.shape}"
        raise ValueError(f"damaged: expected {name} vectors (n, D), labels (n,) and cosines (n,), got {shapes}")
    if vectors.names and len(vectors.names) != count:
        raise ValueError(f"damaged: expected {count} names of pictures for {name}, got {len(vectors.names)}")
    if not count or not 0 <= vectors.labels.min() <= vectors.labels.max() < num_classes:
        got = f"{vectors.labels.min()} to {vectors.labels.max()}" if count else "none"
        raise ValueError(f"damaged: expected labels of {name} to name one of {num_classes} classes, got {got}")
    if not np.isfinite(vectors.vectors).all():
        raise ValueError(f"damaged: {name} holds vectors that are not finite")
