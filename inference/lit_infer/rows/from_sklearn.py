"""Read columns off a fitted transformer of scikit-learn, by its class's name and attributes, without the library.

StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, SimpleImputer, OrdinalEncoder, OneHotEncoder, a Pipeline of an
imputer and one of the others, and a ColumnTransformer of all these.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from lit_infer.rows.facts import CategoryColumn, NumberColumn, RowFields, TableColumn

TableColumns = list[TableColumn]


def read(transformer: Any, names: Sequence[str] | None = None) -> RowFields:
    """The columns in the order in which the transformer answers them.

    `names`: of its input's columns; None: those that it was fitted with, else `x0`, `x1`, … as scikit-learn has it.
    Raises ValueError for what it has no columns for, naming the part.
    """
    if not hasattr(transformer, "n_features_in_"):
        raise ValueError(f"{_name(transformer)} is not fitted: it has no n_features_in_")
    fitted = getattr(transformer, "feature_names_in_", None)
    given = names if names is not None else (range(transformer.n_features_in_) if fitted is None else fitted)
    called = [f"x{name}" if isinstance(name, int) else str(name) for name in given]
    if len(called) != transformer.n_features_in_:
        raise ValueError(f"{len(called)} names for the {transformer.n_features_in_} columns of {_name(transformer)}")
    return RowFields(columns=tuple(_read(transformer, called)))


def _read(transformer: Any, names: Sequence[str]) -> TableColumns:
    kind = _name(transformer)
    if kind not in _READ:
        raise ValueError(f"{kind} is not one of {', '.join(_READ)}")
    return _READ[kind](transformer, names)


def _standard(scaler: Any, names: Sequence[str]) -> TableColumns:
    return _numbers(names, means=scaler.mean_ if scaler.with_mean else None, scales=scaler.scale_)


def _min_max(scaler: Any, names: Sequence[str]) -> TableColumns:
    if scaler.clip:
        raise ValueError("MinMaxScaler(clip=True) cuts values, which columns do not")
    return _numbers(names, means=-scaler.min_ / scaler.scale_, scales=1 / scaler.scale_)


def _max_abs(scaler: Any, names: Sequence[str]) -> TableColumns:
    return _numbers(names, means=None, scales=scaler.scale_)


def _robust(scaler: Any, names: Sequence[str]) -> TableColumns:
    return _numbers(names, means=scaler.center_, scales=scaler.scale_)


def _numbers(names: Sequence[str], *, means: Any, scales: Any) -> TableColumns:
    found = []
    for index, name in enumerate(names):
        mean = 0.0 if means is None else float(means[index])
        scale = 1.0 if scales is None else float(scales[index])
        found.append(TableColumn(name=name, number=NumberColumn(mean=mean, scale=scale)))
    return found


def _imputed(imputer: Any, names: Sequence[str]) -> TableColumns:
    if imputer.add_indicator:
        raise ValueError("SimpleImputer(add_indicator=True) adds columns, which is not supported")
    if not _is_nan(imputer.missing_values) and imputer.missing_values is not None:
        raise ValueError(
            f"SimpleImputer(missing_values={imputer.missing_values!r}) means other values than missing ones"
        )
    return [
        TableColumn(name=name, number=NumberColumn(missing=float(value)))
        for name, value in zip(names, imputer.statistics_, strict=True)
    ]


def _ordinal(encoder: Any, names: Sequence[str]) -> TableColumns:
    unknown = None if encoder.handle_unknown == "error" else int(encoder.unknown_value)
    found = []
    for name, categories in zip(names, encoder.categories_, strict=True):
        known = [one for one in categories if not _is_nan(one) and one is not None]
        missing = None if _is_nan(encoder.encoded_missing_value) else int(encoder.encoded_missing_value)
        if len(known) < len(categories) and missing is None:
            raise ValueError(f"OrdinalEncoder: missing values of {name} become NaN; give it an encoded_missing_value")
        kind = CategoryColumn(
            vocabulary=_vocabulary(known, name),
            unknown=unknown,
            missing=missing if len(known) < len(categories) else unknown,
        )
        found.append(TableColumn(name=name, category=kind))
    return found


def _one_hot(encoder: Any, names: Sequence[str]) -> TableColumns:
    if encoder.drop is not None or encoder.min_frequency is not None or encoder.max_categories is not None:
        raise ValueError("OneHotEncoder with drop, min_frequency or max_categories is not supported")
    if encoder.handle_unknown not in ("error", "ignore"):
        raise ValueError(f"OneHotEncoder(handle_unknown={encoder.handle_unknown!r}) is not supported")
    unknown = -1 if encoder.handle_unknown == "ignore" else None
    found = []
    for name, categories in zip(names, encoder.categories_, strict=True):
        if any(_is_nan(one) or one is None for one in categories):
            raise ValueError(f"OneHotEncoder: {name} was fitted with missing values, which is not supported")
        kind = CategoryColumn(vocabulary=_vocabulary(categories, name), unknown=unknown, missing=unknown, one_hot=True)
        found.append(TableColumn(name=name, category=kind))
    return found


def _pipeline(pipeline: Any, names: Sequence[str]) -> TableColumns:
    steps = [step for _, step in pipeline.steps if step not in ("passthrough", None)]
    *first, last = steps
    if not first:
        return _read(last, names)
    if len(first) > 1 or _name(first[0]) != "SimpleImputer":
        raise ValueError(f"a Pipeline of {', '.join(map(_name, steps))}: only an imputer may come before another step")
    columns = _read(last, names)
    if any(column.number is None for column in columns):
        raise ValueError("SimpleImputer before an encoder: let the encoder have the missing values")
    filled = _imputed(first[0], names)
    return [
        TableColumn(
            name=column.name,
            number=NumberColumn(missing=fill.number.missing, mean=column.number.mean, scale=column.number.scale),
        )
        for column, fill in zip(columns, filled, strict=True)
        if column.number is not None and fill.number is not None
    ]


def _of_columns(transformer: Any, names: Sequence[str]) -> TableColumns:
    found: TableColumns = []
    for _, part, chosen in transformer.transformers_:
        own = _chosen(chosen, names)
        if _is_text(part, "drop") or not own:
            continue
        if _is_text(part, "passthrough") or (_name(part) == "FunctionTransformer" and part.func is None):
            found += [TableColumn(name=name, number=NumberColumn()) for name in own]
        else:
            found += _read(part, own)
    return found


def _chosen(chosen: Any, names: Sequence[str]) -> list[str]:
    if isinstance(chosen, slice):
        return list(names[chosen])
    listed = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if listed and all(type(one).__name__ in ("bool", "bool_") for one in listed):
        return [name for name, is_in in zip(names, listed, strict=True) if is_in]
    return [one if isinstance(one, str) else names[int(one)] for one in listed]


def _vocabulary(categories: Sequence[Any], name: str) -> tuple[str | int, ...]:
    """Categories as JSON has them; whole floats as whole numbers, which a file may have either way."""
    found: list[str | int] = []
    for one in categories:
        value = one.item() if hasattr(one, "item") else one
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            value = str(value)
        found.append(value)
    if not found:
        raise ValueError(f"the column {name} has no categories")
    return tuple(found)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_text(value: Any, text: str) -> bool:
    return isinstance(value, str) and value == text


def _name(part: Any) -> str:
    return type(part).__name__


_READ: dict[str, Callable[[Any, Sequence[str]], TableColumns]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _robust,
    "SimpleImputer": _imputed,
    "OrdinalEncoder": _ordinal,
    "OneHotEncoder": _one_hot,
    "Pipeline": _pipeline,
    "ColumnTransformer": _of_columns,
}
