"""Arrow columns that hold text: which types are text, and their values where some are no UTF-8."""

import pyarrow as pa

_IS_TEXT = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)


def holds_text(kind: pa.DataType) -> bool:
    """Whether a column of this type may be text: strings, and bytes, as older writers call them."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return any(is_text(kind) for is_text in _IS_TEXT)


def values_of(column: pa.Array) -> list[object]:
    """The values, None where null: str; or all of them bytes, where the column holds bytes or one is not UTF-8."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # Arrow does not look at what a file calls a string
        return column.cast(pa.large_binary()).to_pylist()
