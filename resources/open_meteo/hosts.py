"""The provider's hosts: without a key, and with a key.

Pure. Source: https://open-meteo.com/en/pricing.
"""

from __future__ import annotations

FREE_URL = "https://air-quality-api.open-meteo.com"
CUSTOMER_URL = "https://customer-air-quality-api.open-meteo.com"


def is_free(host: str) -> bool:
    """Whether a host is the provider's and serves without a key. It redirects requests that have a key."""
    return is_the_providers(host) and not is_customers(host)


def is_customers(host: str) -> bool:
    """Whether a host is the provider's and wants a key."""
    return is_the_providers(host) and host.lower().startswith("customer-")


def is_the_providers(host: str) -> bool:
    """Whether a host is the provider's."""
    return host.lower().rstrip(".").endswith(".open-meteo.com")
