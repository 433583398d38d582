"""Reads a pickled checkpoint without executing anything in it."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import dtypes
from safetensors import SafetensorError

from operators.backbone.errors import WeightsError

_UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    SafetensorError,  # of a file that is called .safetensors, which torch reads as such
)
"""What torch raises for a file that is cut short or something else."""


def read_pickle(path: Path) -> Any:
    """The content of a `.pth`: what torch's weights-only unpickler builds, and numpy's scalars besides.

    Training tools keep a few numbers beside the weights as numpy scalars (mmcv's `meta`); those, and nothing else, are
    let through further than torch does. Tensors are mapped from the file and read when touched: the optimiser's state,
    two thirds of such a file, costs nothing.

    Raises:
        WeightsError: the file is not there, is damaged, or asks for anything beyond numbers and containers. Nothing in
            it has run then.
    """
    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from None
    except FileNotFoundError:
        raise WeightsError(f"no weights: {path} does not exist. Give an existing file.") from None
    except _UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} is damaged: torch cannot read it ({first}). Fetch it again.") from None


def _refusal(path: Path, said: str) -> WeightsError:
    asked = re.search(r"GLOBAL ([\w.]+)", said)
    if asked is None:
        return WeightsError(
            f"{path} is refused: it is no plain dictionary of tensors, or is damaged; nothing in it was executed. "
            "Fetch it again, or export its state_dict alone."
        )
    name = asked[1].removesuffix(".")
    return WeightsError(
        f"{path} is refused: expected tensors and numbers, got {name}, which could run code; nothing in it was "
        "executed. Export its state_dict alone."
    )


@lru_cache(maxsize=1)
def _harmless() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """Constructors of numpy scalars, by the names that numpy 1 and numpy 2 pickle them under."""
    scalar: Callable[..., Any] = np.float64(0).__reduce__()[0]  # pyright: ignore[reportAssignmentType] - a builtin
    kinds = (dtypes.Float64DType, dtypes.Float32DType, dtypes.Int64DType, dtypes.Int32DType, dtypes.BoolDType)
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *kinds,
    ]
