# The MT interceptor script of Jasmin: `mtinterceptor -a`, `script python3(/etc/otpguard/interceptor.py)`.
# It must not raise (Jasmin would refuse the message), and stays flat: Jasmin runs it with its names as
# locals, so functions and comprehensions in it do not see its imports. 0x58 is ESME_RTHROTTLED.
try:
    from otpguard_jasmin import refuses

    refused = refuses(routable)  # noqa: F821 - Jasmin's
except Exception:
    refused = False
if refused:
    smpp_status = 0x58
    http_status = 429
