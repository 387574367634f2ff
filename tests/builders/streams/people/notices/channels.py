"""Builders that test_channels.py shares with other tests."""

from __future__ import annotations

from streams.people.notices.channels import (
    SmsNotice,
)

ZH = SmsNotice("e1:victim_start", "victim_start", "8613900000001", "10086", "【移动】轰炸",
               "zh-Hans", plain=False)  # fmt: skip


EN = SmsNotice("e1:victim_end", "victim_end", "14155550100", "10086", "It is over !", "en",
               plain=True)  # fmt: skip
