"""The command `aqi`."""


def run() -> None:
    """What the installed command calls: before any package is imported, the shell's variables are put in order."""
    from resources.machine.shell import begin

    begin()
    from orchestration.cli.app import run as run_app

    run_app()
