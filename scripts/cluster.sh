#!/usr/bin/env bash
# A real HDFS and YARN on this machine, for development and tests: `scripts/cluster.sh --help`.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
"${PYTHON:-python3}" "$here/scripts/setup.py" --quiet --java hadoop >&2
cd "$here"
exec .venv/bin/python -m scripts.cluster "$@"
