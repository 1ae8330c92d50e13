#!/usr/bin/env bash
# Any `aqi` command through spark-submit on YARN: scripts/spark_submit.sh [--deploy-mode client|cluster] -- COMMAND …
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ ! -x "$here/.venv/bin/python" ]; then
    echo "error: $here/.venv is missing: run make setup-spark there" >&2
    exit 2
fi
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$here/.venv/bin/python" -m scripts.submit "$@"
