"""No key and no password is in a kept answer, also where the source repeats them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from assets.variables import VARIABLES
from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import RawAnswer
from resources.open_meteo.settings import OpenMeteoSettings
from resources.open_meteo.source import OpenMeteo
from resources.raw.answers import RawAnswers
from resources.raw.files import decompressed
from tests.support.api_answers import DAY, HANOI, document, good, now
from tests.support.scripted_api import CannedApi

KEY, PASSWORD = "k3y-of-mine/1", "pass-word-2"


def test_no_secret_is_kept(tmp_path: Path) -> None:
    with CannedApi(good({**document(), "asked_with": f"apikey={KEY}", "by": PASSWORD})) as api:
        base_url = api.url.replace("http://", f"http://someone:{PASSWORD}@")
        settings = OpenMeteoSettings(base_url=base_url, api_key=SecretStr(KEY), attempts=1)
        source = OpenMeteo(settings, VARIABLES, injected_clock=True)
        (request,) = source.requests(PartitionSet.of(Days.of(DAY), ["hanoi"]), [HANOI])
        reply = source.fetch(request, now, lambda: False)
        assert "apikey=" in api.asked[0], "it was sent"
    days = (date(2025, 8, 8),) * 2
    described = source.described(request)
    answer = RawAnswer(
        "bronze.feed", "open_meteo", iso(reply.asked), "run-1", False, *days, ("hanoi",), described, reply.body
    )
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {".zst", ".json"}, "the answer, and its name in the index"
    texts = [path.read_bytes() if path.suffix == ".json" else decompressed(path.read_bytes()) for path in paths]
    content = b"".join(texts).decode("utf-8")
    for secret in (KEY, KEY.replace("/", "%2F"), json.dumps(KEY)[1:-1], PASSWORD):
        assert secret not in content
    (file,) = raw.all("bronze.feed").files
    kept = raw.read(file)
    (read,) = source.read(kept.request, kept.body, file.asked_at)
    assert read.digests == reply.answers[0].digests, "and yet it reads as it was fetched"
