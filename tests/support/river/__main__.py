"""The command, for the rivers."""

import sys

from orchestration.cli.app import run
from tests.support.river.project import PROJECT

if __name__ == "__main__":
    sys.argv[0] = "aqi"
    run(PROJECT)
