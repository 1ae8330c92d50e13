"""What spark-submit starts: the command `aqi`, with the driver JVM that is there already."""

from orchestration.cli import run

if __name__ == "__main__":
    run()
