"""Options that several commands share are written once, as the fields of a frozen dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer reads it: a parameter that is a dataclass becomes one option for each of its fields.

    Fields are annotated as options would be; those without a default are required. Called by hand it takes the fields
    by keyword, as typer does.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {
        name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)
    }
    flat = [
        part
        for parameter in signature(command).parameters.values()
        for part in (
            _options(groups[parameter.name])
            if parameter.name in groups
            else [parameter.replace(annotation=hints[parameter.name])]
        )
    ]
    shape = Signature(flat)

    @wraps(command)
    def run(*args: Any, **given: Any) -> None:
        bound = shape.bind(*args, **given)
        bound.apply_defaults()
        values = dict(bound.arguments)
        built = {
            name: group(**{each.name: values.pop(each.name) for each in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **built)

    run.__signature__ = shape  # pyright: ignore[reportAttributeAccessIssue]  # what typer asks
    run.__annotations__ = {each.name: each.annotation for each in flat}
    return run


def _options(group: type[Any]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            each.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]
