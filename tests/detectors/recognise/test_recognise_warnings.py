"""Codes that nothing names but a warning to keep them, and warnings that show none. Made up."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, look, read
from detectors.recognise.text.fold import mask
from detectors.recognise.vocabulary.scripts import WordKind, scripts_of

REGISTRY = Registry.load_shipped()

WITH_A_CODE = """
Do not tell this code to anybody, we never ask for it 730418
Gracias por tu registro. No compartas este código con otras personas 730418
No facilites esta clave a terceros 730418
Não passe este código para outras pessoas 730418
Bienvenue chez nous, ne donnez ce code à personne 730418
Niemals diesen Code weitersagen 730418
Non dire mai questo codice ad altri 730418
Không đưa mã này cho người khác 730418
ห้ามบอกรหัสนี้กับคนอื่น 730418
Selamat datang, jangan kasih kode ini ke orang lain 730418
Bu kodu kimseye vermeyin 730418
لا تعط هذا الرمز لأي شخص 730418
به کسی این کد را نگویید 730418
אין למסור את הקוד הזה לאחרים 730418
यह कोड किसी को न बताएं 730418
Не передавайте этот код никому 730418
请不要把这个验证码告诉别人 730418
このコードは他の人に教えないでください 730418
이 코드를 다른 사람에게 알려주지 마세요 730418
Geef deze code aan niemand 730418
Nie przekazuj tego kodu nikomu 730418
Ge inte den här koden till någon 730418
""".strip().split("\n")

WITHOUT = """
Never share your code with anyone. Report it to 18002345
Do not give this code to callers, call 18002345 instead
No comparta este código, llame al 44719
Nunca des tu clave a nadie. Línea segura 44719000
Ne communiquez ce code à personne, appelez le 3477
Geben Sie niemals Ihre TAN weiter. Hotline 116116
Jangan berikan kode ini, hubungi 14045
Não informe o código a ninguém. Central 40041234
Không cung cấp mã này cho ai, gọi 19001234
Не называйте код из смс. Звоните 900900
""".strip().split("\n")


@pytest.mark.parametrize("text", WITH_A_CODE, ids=str)
def test_a_code_that_only_its_warning_names_is_one_in_every_language(text: str) -> None:
    verdict = recognise(REGISTRY, text)
    assert verdict.otp, verdict
    assert read(look(mask(excerpt(text)))).rule != "held"
    assert verdict.code_span == (len(text) - 6, len(text))


@pytest.mark.parametrize("text", WITHOUT, ids=str)
def test_whom_to_call_is_no_code(text: str) -> None:
    verdict = recognise(REGISTRY, text)
    assert not verdict.otp, verdict


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("do not share this code with anyone 0000", False),
        ("do not share this code with anyone. 0000", True),
        ("do not share your code with anyone 0000", True),
        ("no compartas este codigo, por favor\n000 000.", False),
        ("no compartas este codigo 00 veces 0000 mas", True),
    ],
)
def test_a_warning_names_the_number_at_its_end_if_it_says_this(text: str, *, denied: bool) -> None:
    kinds = {word.kind for script in scripts_of(text) for word in script.words(text)}
    assert (WordKind.DENIED in kinds) is denied
