"""Where a warehouse may lie: in a folder of this machine, or at a URI. A text that looks like a URI and cannot be read
as one is refused: else it would name a folder below the folder in which a command is called."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

NOT_ON_HDFS = " %#?"
"""Characters that the URI of a warehouse on HDFS must not have: deltalake percent-encodes or decodes them in some parts
of a URI and not in others."""
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/*)(.*)", re.DOTALL)
_FOLDER, _CLUSTER = "file", "hdfs"


def a_warehouse(text: str) -> str:
    """The folder or URI of a warehouse, in a normal form.

    =========================  =====================================
    a setting                  the result
    =========================  =====================================
    ``air``, ``~/air``         the same
    ``file:/data/air``         ``file:///data/air``
    ``file://localhost/data``  ``file:///data``
    ``HDFS://nn/air``          ``hdfs://nn/air``
    ``hdfs:/air``              ValueError: ``hdfs:///air`` is meant
    ``file://other/data``      ValueError: of another machine
    ``htfs://nn/air``          ValueError: nothing here reads such
    =========================  =====================================
    """
    if not text.strip() or any(sign in text for sign in "`\n\r"):
        raise ValueError("must be a folder or a URI, without backticks and line breaks")
    if (found := _URI.fullmatch(text)) is None:
        return text
    scheme, slashes, rest = found[1].lower(), found[2], found[3]
    if scheme == _FOLDER:
        return _a_file(slashes, rest)
    if not slashes and scheme != _CLUSTER:
        return text  # a folder with a colon in its name
    if len(slashes) < 2:
        raise ValueError(f"must have two slashes before a host, or three where none is named: {scheme}:///{rest}")
    _check_scheme(scheme)
    uri = a_readable_uri(f"{scheme}:{slashes}{rest}")
    if scheme == _CLUSTER and (not uri.isascii() or any(sign in uri for sign in NOT_ON_HDFS)):
        raise ValueError("must have ASCII letters alone, no space, %, # or ?: deltalake takes them for others")
    return uri


def a_readable_uri(text: str) -> str:
    """A folder, a file or a URI whose host and port can be read, unchanged. Raises ValueError for any other URI."""
    try:
        urlsplit(text).port  # noqa: B018 (raises for what is none)
    except ValueError:
        raise ValueError("must be like hdfs://namenode:8020/folder: its host or port cannot be read") from None
    return text


def _a_file(slashes: str, rest: str) -> str:
    """``file:///…`` for what stands behind ``file:``. Raises ValueError for a folder that is not of this machine."""
    if len(slashes) == 2:
        host, slash, path = rest.partition("/")
        if not slash or host != "localhost":
            raise ValueError(f"must be a folder of this machine, as file:///{path or rest}; {host or rest!r} is a host")
        return f"file:///{path}"
    if not slashes:
        raise ValueError(f"must be a whole path behind file:, as file:///data/{rest}")
    return f"file:///{rest}"


def _check_scheme(scheme: str) -> None:
    """Raises ValueError for a scheme that neither HDFS's client nor fsspec reads."""
    if scheme == _CLUSTER:
        return
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        raise ValueError(f"must be a folder or begin with hdfs://: nothing here reads {scheme}:// ({error})") from error
