"""Where Open-Meteo serves without a key, and where with one.

Pure. Source: https://open-meteo.com/en/pricing.
"""

from __future__ import annotations

FREE_URL = "https://air-quality-api.open-meteo.com"
CUSTOMER_URL = "https://customer-air-quality-api.open-meteo.com"


def is_free(host: str) -> bool:
    """Whether it is one of the provider's hosts that serve without a key, and send whoever has one elsewhere."""
    return is_the_providers(host) and not is_customers(host)


def is_customers(host: str) -> bool:
    """Whether it is one of the provider's hosts that want a key."""
    return is_the_providers(host) and host.lower().startswith("customer-")


def is_the_providers(host: str) -> bool:
    """Whether it is one of the provider's hosts."""
    return host.lower().rstrip(".").endswith(".open-meteo.com")
