"""The MT interceptor script: `mtinterceptor -a`, `script python3(/etc/otpguard/interceptor.py)`.

It must not raise, since Jasmin would then refuse the message. It stays flat: Jasmin runs it with
its names as locals, so functions and comprehensions in it would not see its imports.
"""

try:
    from otpguard_jasmin import refuses

    refused = refuses(routable)  # type: ignore[name-defined]  # noqa: F821 - Jasmin's
except Exception:  # noqa: BLE001 - whatever it is, the message passes
    refused = False
if refused:
    smpp_status = 0x45  # ESME_RSUBMITFAIL: this message, for good
    http_status = 403
