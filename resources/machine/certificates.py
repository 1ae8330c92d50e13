"""Files of certificates that the environment names: whether libraries can read them, before they fail at it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path

from orchestration.core.errors import MachineError

OF_PREFECT = ("SSL_CERT_FILE",)
"""Its client reads it in any case, also for a server that is asked without TLS."""
OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The first of them that is set counts, where something is asked over TLS."""


def check_certificates(names: Iterable[str]) -> str:
    """The variable of ``names`` that counts, and its file; empty where none is set.

    Raises MachineError where the file is not there, or has no certificate.
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
