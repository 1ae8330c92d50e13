"""Checks the files of certificates that environment variables name, before a library fails to read them."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path

from orchestration.core.errors import MachineError

OF_PREFECT = ("SSL_CERT_FILE",)
"""The variable that Prefect's client reads, also for a server without TLS."""
OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that `requests` reads for addresses with TLS. The first one that is set counts."""


def check_certificates(names: Iterable[str]) -> str:
    """The file that the first set variable of ``names`` names, as ``FILE (VARIABLE)``; empty where none is set.

    Raises MachineError where the file does not exist, or has no certificate.
    """
    name = next((one for one in names if os.environ.get(one)), None)
    if name is None:
        return ""
    file = os.environ[name]
    try:
        if Path(file).is_dir():
            ssl.create_default_context(capath=file)
        else:
            ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        why = "it has no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise MachineError(
            f"{name}: certificates cannot be read in {file} ({why})", f"Name the file that has them, or unset {name}."
        ) from error
    return f"{file} ({name})"
