"""From the lists of ``hired-gguf eval`` to what is compared."""

from __future__ import annotations

import argparse

from ..console.usage import UsageError
from ..errors import InputError
from ..evaluation.configuration import Configuration, cross_product, one_at_a_time
from ..evaluation.layers import Layers, distinct, require_layers


def configurations_of(args: argparse.Namespace, executed_layers: int) -> list[Configuration]:
    """What is listed, in all combinations; one option at a time if nothing is.

    Raises UsageError for a listed layer that the model does not have.
    """
    given = {
        "budgets": args.budgets,
        "allocations": args.allocations,
        "selections": args.selections,
        "newlines": args.newline_rules,
        "alphas": args.alphas,
        "layers": None if args.layers is None else layers_of(args.layers, executed_layers),
    }
    listed = {name: value for name, value in given.items() if value is not None}
    return cross_product(**listed) if listed else one_at_a_time(executed_layers)


def layers_of(pairs: list[Layers], executed: int) -> list[Layers]:
    """Those that differ. Raises UsageError for one that the model does not have."""
    try:
        require_layers(pairs, executed)
    except InputError as error:
        raise UsageError(f"argument --layers: {error}") from error
    return distinct(pairs, executed)
