"""Query parameters: each known, each once; a misspelt one names the nearest."""

import difflib
from collections import Counter
from collections.abc import Sequence

from starlette.datastructures import QueryParams

from lit_infer.errors import UsageError


def check(query: QueryParams, known: Sequence[str]) -> None:
    """Raise UsageError for a parameter that the route does not have, or that is given twice."""
    for name, count in Counter(name for name, _ in query.multi_items()).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no query parameter {name[:50]!r} here, only {', '.join(known)}{meant}")
        if count > 1:
            raise UsageError(f"query parameter {name} is given {count} times")
