"""The command `aqi`."""


def run() -> None:
    """What the installed command calls."""
    from orchestration.cli.app import run as run_app

    run_app()
