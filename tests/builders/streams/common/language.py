"""Builders that test_language.py shares with other tests."""

from __future__ import annotations

NEVER = ("屏蔽", "节流", "阻断", "短信炸弹", "收件人", "校验码", "信令", "消息代理")
