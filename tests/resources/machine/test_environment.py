"""Which variables reach what runs, as pairs of an environment and what becomes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.machine.environment import LEFT_OUT, before, cleaned, for_a_jvm, left_out, notices, python_path

NEVER = [
    "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_DRIVER_MEMORY", "SPARK_LOCAL_DIRS", "SPARK_REMOTE", "SPARK_CONNECT_MODE",
    "SPARK_API_MODE", "SPARK_TESTING", "SPARK_MASTER", "SPARK_SUBMIT_OPTS", "SPARK_DIST_CLASSPATH", "SPARK_USER",
    "PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "PYSPARK_GATEWAY_PORT", "PYSPARK_PIN_THREAD",
    "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS",
    "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONIOENCODING", "PYTHONINSPECT",
    "SAIL_EXECUTION__BATCH_SIZE", "TOKIO_WORKER_THREADS", "DATAFUSION_EXECUTION_TIME_ZONE",
]  # fmt: skip
ALWAYS = [
    "PATH", "HOME", "TMPDIR", "JAVA_HOME", "LANG", "TZ", "AQI_WAREHOUSE__URI", "PREFECT_API_URL", "HTTPS_PROXY",
    "HADOOP_CONF_DIR", "HADOOP_USER_NAME", "YARN_RM_URL", "KRB5CCNAME", "SPARK_LOCAL_IP", "LD_LIBRARY_PATH",
    "PYTHONPATH", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MY_SPARK_HOME", "spark_home",
]  # fmt: skip


@pytest.mark.parametrize("name", NEVER)
def test_what_never_reaches_a_run(name: str) -> None:
    assert list(left_out({name: "x", "PATH": "/bin"})) == [name]
    assert cleaned({name: "x", "PATH": "/bin"}).keys() == {"PATH", LEFT_OUT}


@pytest.mark.parametrize("name", ALWAYS)
def test_what_reaches_it(name: str) -> None:
    assert cleaned({name: "x"}) == {name: "x"}


@given(st.dictionaries(st.sampled_from([*NEVER, *ALWAYS]), st.text(max_size=3)))
def test_cleaned_twice_is_cleaned_once_and_nothing_is_forgotten(environment: dict[str, str]) -> None:
    once = cleaned(environment)
    assert cleaned(once) == once
    assert not left_out(once)
    assert before(once) == left_out(environment)
    assert {name: value for name, value in once.items() if name != LEFT_OUT}.items() <= environment.items()


def test_values_are_not_told_which_may_hold_secrets() -> None:
    secret = {"PYSPARK_SUBMIT_ARGS": "--conf spark.ssl.keyPassword=s3cret", "LD_PRELOAD": "s3cret"}
    assert "s3cret" not in json.dumps(notices(secret))
    assert "s3cret" not in json.dumps({**cleaned(secret), "LD_PRELOAD": ""})


def test_what_is_told() -> None:
    found = notices({"SPARK_HOME": "/opt/spark", "HADOOP_CONF_DIR": "/etc", "LD_PRELOAD": "x", "PATH": "/bin"})
    assert list(found) == ["HADOOP_CONF_DIR", "LD_PRELOAD", "SPARK_HOME"]
    assert [done.partition(":")[0].split(" ")[0] for done in found.values()] == ["goes", "goes", "left"]
    assert notices({LEFT_OUT: '{"SPARK_HOME": "left out"}'}) == {"SPARK_HOME": "left out"}
    assert notices({LEFT_OUT: "no JSON"}) == notices({LEFT_OUT: "[1]"}) == {}


CLUSTERS = {"HADOOP_CONF_DIR": "/etc", "HADOOP_USER_NAME": "me", "SPARK_LOCAL_IP": "10.0.0.1", "YARN_CONF_DIR": "/y"}
PINNED = {"SPARK_HOME": "/pinned", "PYSPARK_PYTHON": "/python", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def test_a_jvm_on_this_machine_is_told_of_no_cluster() -> None:
    shell = {**CLUSTERS, "SPARK_HOME": "/opt", "LANG": "tr_TR.UTF-8", "LC_NUMERIC": "de_DE", "LANGUAGE": "tr", "A": "1"}
    assert for_a_jvm(shell, "/pinned", "/python", cluster=False) == {**PINNED, "A": "1"}
    assert for_a_jvm(shell, "/pinned", "/python", cluster=True) == {**PINNED, **CLUSTERS, "A": "1"}


def test_an_executor_elsewhere_is_not_sent_to_folders_of_this_machine() -> None:
    shell = {"PYTHONPATH": "/lib/python3:/venv/site-packages:/mine"}
    own = ["/lib/python3", "/venv/site-packages"]
    assert for_a_jvm(shell, "/p", "/python", cluster=True, own=own)["PYTHONPATH"] == "/mine"
    assert "PYTHONPATH" not in for_a_jvm({"PYTHONPATH": "/venv/site-packages"}, "/p", "/p", cluster=True, own=own)


def test_the_path_of_python() -> None:
    assert python_path(["/mine"], ["/own"], []) is None
    assert python_path(["/a", "/own", "/b"], ["/own"], ["click in /a"]) == (
        "/own:/a:/b",
        "comes after what set-up pinned: click in /a",
    )
