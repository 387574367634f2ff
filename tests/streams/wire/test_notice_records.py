"""Records of notices: closed sets of kinds and states, and nothing of a text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.wire.notice_records import Notice, decode_notice, encode_notice
from streams.wire.version import UnreadableError
from tests.builders.streams.wire.notice_records import SAID


def test_a_notice_comes_back_as_it_went() -> None:
    assert decode_notice(encode_notice(SAID)) == SAID


@pytest.mark.parametrize("changed", [{"kind": "advert"}, {"state": "read"}, {"to": "x" * 257}])
def test_what_is_no_notice_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        decode_notice(msgspec.json.encode(msgspec.json.decode(encode_notice(SAID)) | changed))


def test_a_notice_has_no_field_for_a_text() -> None:
    assert not {"text", "body", "content"} & {*Notice.__struct_fields__}
