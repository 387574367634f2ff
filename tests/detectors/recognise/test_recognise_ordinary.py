"""Ordinary texts whose words are near those of codes, each kind with codes of the same words."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry

REGISTRY = Registry.load_shipped()


def otp(text: str) -> bool:
    return recognise(REGISTRY, text).otp


@pytest.mark.parametrize(
    "text",
    [
        (
            "[TB] Goi cuoc X7 (7.000d/ngay) cua Quy khach chua duoc gia"
            " han do tai khoan chinh khong du"
            " 7.000d. Vui long nap them tien (toi thieu 7.000d) tai https://bienxanh.example/nap de"
            " tiep tuc dung uu dai cua goi. CSKH: 19006612 (0d)."
        ),
        (
            "10B4 (AD 12/9)  T2 S1: Toan+Ly+Hoa;C1: SH+CC+Van+Su T3"
            " S1: Dia+Tin+Nhac+TD;C1: AV+AV+Van"
            " T4 S1: Ly+Ly+Hoa+Hoa;C1: Toan+Toan+GDCD T5 S1:"
            " Sinh+Sinh+Tin;C1: Van+Su+Dia+CN T6 C1: AV"
        ),
        (
            "10B4 (AD 12/9)  T2 S1: Toan+Ly+Hoa;C1: SH+CC+Van T3 S1:"
            " Dia+Tin+Nhac;C1: AV+AV+Van T4 S1:"
            " Ly+Ly+Hoa;C1: Toan+GDCD T5 S1: Sinh+Tin;C1: Van+Su"
        ),
    ],
)
def test_a_long_text_that_names_no_code_is_none_whatever_its_pieces_weigh(text: str) -> None:
    assert not otp(text)


def test_a_long_text_that_names_its_code_is_one() -> None:
    assert otp(
        "[TB] Quy khach dang dang ky tai khoan Bien Xanh tren thiet bi moi. Vui long khong chia se"
        " tin nhan nay voi bat ky ai, ke ca nhan vien. Neu khong phai Quy khach thuc hien, hay bo"
        " qua. Ma xac thuc cua Quy khach la 482913, hieu luc trong 5 phut."
    )


@pytest.mark.parametrize(
    "text",
    [
        (
            "[온누리]\n고객님 안녕하세요\n오늘 보내신 물건을\n댁으로 배송 완료했습니다\n"
            "사진: https://onnuri.example/photo85"
        ),
        (
            "[바다택배]\n안녕하세요 고객님\n김바다 기사입니다\n"
            "주소지 확인 바랍니다\nbada.example/2zhG806"
        ),
        "[초대]\n두 사람이 하나가 됩니다\n부디 오셔서\n축복해 주세요\nchodae.example/H8Bh",
        "Garten Brunner\nHallo!\nIhre Pflanzen\nsind da\nFotos: https://brunner.example/foto85",
    ],
)
def test_line_breaks_alone_make_no_link_one_that_verifies(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("[웹발신]\n바뀐 돌잔치 시간을\n알려 드립니다\n꼭 와 주세요\n초대장 확인", False),
        ("[온누리] 고객님의 로그인 인", True),
        ("[온누리] 본인확인을 위한 인증", True),
        ("【北岸】您正在登录北岸，验", True),
        ("【北岸】欢迎新同学返校", False),
    ],
)
def test_the_end_of_another_word_is_no_beginning_of_a_name_for_codes(text: str, so: bool) -> None:
    assert otp(text) is so


@pytest.mark.parametrize(
    "text",
    [
        "Harbour: you are changing your number, please wait for the OTP",
        "Espere el código de verificación",
        "Ожидайте код подтверждения",
    ],
)
def test_who_is_to_wait_for_a_code_has_none(text: str) -> None:
    assert not otp(text)


def test_a_text_cut_off_where_its_code_comes_is_one() -> None:
    assert otp("Harbour: your verification code is")
    assert otp("[Harbour] Your sign-in is nearly done, verification code")


@pytest.mark.parametrize(
    "text",
    [
        (
            "DIEN LUC Bien Xanh: khach hang Tran Van Nam co 1 hoa don,"
            " tong tien: 418300dong. De nghi"
            " thanh toan trong vong 3 ngay, neu da thanh toan vui long bo qua tin nhan nay."
        ),
        (
            "Tagihan listrik Anda bulan ini: 215600 rupiah. Abaikan jika sudah dibayar. Konfirmasi"
            " pembayaran di aplikasi."
        ),
        "Elektroenergiya: k oplate 4182 rubley. Podtverdite platezh v prilozhenii do 15.09",
    ],
)
def test_an_amount_in_letters_without_accents_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pay 2000 rupiah: your code is 482913",
        "Ma xac thuc thanh toan 418300dong la 482913",
        "482913 dong y chuyen tien? Nhap ma nay de xac nhan",
    ],
)
def test_a_code_beside_such_an_amount_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "[TB] Mung xuan Tan Hoi 2031! Bien Xanh kinh chuc Quy khach an khang thinh vuong.",
        (
            "Bien Xanh tuyen cong tac vien lam tai nha, thao tac don gian, nhan tien sau 15 - 25000"
            " moi lan"
        ),
    ],
)
def test_a_name_for_codes_that_is_a_word_of_vietnamese_names_none_there(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text", ["Ihre TAN: 482913", "TAC anda 482913", "Ma TAC: 482913", "Dien 482913 vao o trong"]
)
def test_it_names_one_elsewhere(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Happy 2031",
        "Bonne année 2031",
        "Selamat tahun baru 2031",
        "Chúc mừng năm mới 2031",
        "Mutlu yıllar 2031",
        "Gelukkig 2031",
        "Szczęśliwego 2031",
    ],
)
def test_a_year_beside_wishes_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Hello! Please save the internet settings that we sent you"
            " and enjoy the fast network. Your"
            " code is 1234. See hrb.example/app21 for data offers"
        ),
        "Save the MMS settings sent to your phone. If asked for a PIN enter 1234",
        "Сохраните настройки интернета. Ваш код 1234",
        "Enregistrez les paramètres internet envoyés. Votre code est 1234",
        "Bitte speichern Sie die MMS-Einstellungen, die Sie erhalten haben. Der Code ist 1234",
        "İnternet ayarlarını kaydedin. Kodunuz 1234",
        "Salve as configurações de internet enviadas. Seu código é 1234",
        "Hãy lưu cấu hình internet đã gửi. Mã của bạn là 1234",
        "请保存我们发送的上网设置，您的密码是1234",
        "인터넷 설정을 저장해 주세요. 코드는 1234",
        "احفظ إعدادات الانترنت المرسلة، الرمز 1234",
    ],
)
def test_the_pin_of_settings_that_a_carrier_sends_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Your driver Paul is 2 min away, white Skoda. Give him PIN 4829",
        "Tu conductor llega en 2 min. PIN del viaje: 4829",
        "Ihr Fahrer ist in 2 Min da. PIN der Fahrt: 4829",
        "Il tuo autista arriva tra 2 min. PIN della corsa: 4829",
        "Seu motorista chega em 2 min. PIN da viagem: 4829",
        "Twój kierowca będzie za 2 min. PIN przejazdu: 4829",
        "Je chauffeur is er over 2 min. PIN van de rit: 4829",
        "Din förare är här om 2 min. PIN för resan: 4829",
        "आपका ड्राइवर 2 मिनट में पहुँचेगा। राइड PIN 4829",
    ],
)
def test_the_pin_of_a_ride_is_for_its_driver(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ihr Gerät (Code 8HXDX) konnte nicht repariert werden. Status: https://atelier.example/prf",
        "Ваше устройство (код 8HXDX) не удалось отремонтировать. Статус https://remont.example/st",
        "Twoje urządzenie (kod 8HXDX) nie nadaje się do naprawy. Status https://serwis.example/st",
        "Cihazınız (kod 8HXDX) onarılamadı. Durum https://tamir.example/durum",
        "Seu aparelho (código 8HXDX) não pôde ser reparado. Detalhes https://oficina.example/ver",
    ],
)
def test_the_code_of_a_thing_that_is_repaired_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mano, manda o valor para este número 84578426",
        "Olá tia, peço que me mandes o dinheiro para o meu número 84457845, vem em nome da Rosa",
        "Manda la plata a este número 84578426 cuando puedas",
        "Please send the money to my account 84578426",
    ],
)
def test_the_number_that_money_is_sent_to_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "VISA4471 Внесите платеж 4918.55 RUR до 26-03-2031, чтобы не допустить просрочку",
        (
            "E-stmt for your Harbour Card ending with XX94 has been sent to your registered email."
            " Click https://harbour.example/pay to pay your card bill within 24 hrs."
        ),
    ],
)
def test_the_digits_of_a_card_written_with_its_name_are_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Чтобы повторить перевод, отправьте сообщение с кодом 82221 на номер 900",
        "مجید کریمی، متعهد و متخصص با کد انتخاباتی : 2285",
        "Quỹ Biển Xanh kêu gọi ủng hộ trẻ em năm 2031 bằng cách chuyển khoản qua tài khoản của quỹ",
    ],
)
def test_codes_of_replies_and_elections_and_years_are_no_codes(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Use este número: 482913",
        "Ingresa este número 482913 en la app",
        "Xác thực bằng mã 482913",
        "We sent this to your number. Your code is 482913",
        "Код из сообщения: 482913",
    ],
)
def test_codes_in_the_same_words_are_codes(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Info resmi: nomor anda trpilih sbg pmenang dgn kode verifikasi (2781mp7), cek pin anda",
        "Selamat, anda pemenang undian Laut Biru dengan kode PIN 4829137",
        "slmt no anda m-dapatkan cek 75jt, kode verifikasi anda 235877",
    ],
)
def test_the_code_of_a_prize_is_no_code_in_indonesian_either(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Ikuti seminar rahasia usaha rumahan, minggu 08 okt 2017, daftar ketik nama dan"
            " kota lalu kirim ke panitia"
        ),
        "Daftar sekarang: pameran buku 24 agustus 2031, klik untuk konfirmasi",
        "Confirm your seat for the open day on 24 August 2031 in the app",
        "Подтвердите участие в форуме 24 августа 2031 в приложении",
        "Confirme su asistencia el 24 de agosto de 2031 en la página",
        "Bestätigen Sie Ihre Teilnahme am 24. August 2031 in der App",
    ],
)
def test_the_year_of_a_date_that_is_written_out_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "jual sepatu kulit asli, harga 199rb, minat hub bb pin: 7e2da91f atau wa 081200001111",
        "slamat no anda dpt 1 unit motor, pin: b42c7h1, info lengkap hub kantor",
        "Venta de ropa, mi pin 2A7B91CD, escríbeme",
        "vendo celular, pin bb 5c81da30",
    ],
)
def test_a_pin_of_letters_is_the_address_of_a_messenger_or_a_prize(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Envia o valor nesta conta ou com este numero: 845612733, em nome da Rosa",
        "Mano, me envia 500 no mpesa deste número: 84561273 - Rosa",
        "Manda la plata con este numero: 84561273",
    ],
)
def test_money_goes_to_this_number_whatever_word_leads_to_it(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "BHXH da nhan ho so cua ma so 7312894650 ngay 12/4, vui long cho ket qua",
        "แจ้งค่าบริการรหัส482913057 กรุณาชำระก่อนวันที่ 5",
    ],
)
def test_nine_digits_in_the_middle_of_a_sentence_are_a_customers_or_a_file(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Никому не говорите ПИН. К Вашей карте установлен ПИН 4829",
        "Se ha establecido el PIN 4829 para su tarjeta. No lo comparta",
        "PIN 4829 telah dipasang pada kartu Anda. Jangan diberitahukan kepada siapa pun",
        "رمز 4829 برای کارت شما تنظیم شد. آن را به کسی ندهید",
        "The PIN 4829 has been set for your card. Do not tell anyone",
    ],
)
def test_a_pin_that_was_set_for_a_card_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Su estado de cuenta está listo. La contraseña para abrir el archivo es 482913."
            " No la comparta"
        ),
        "A senha para abrir o PDF é 482913. Não compartilhe",
        "Le mot de passe pour ouvrir le fichier est 482913",
        "Das Passwort zum Öffnen der Datei lautet 482913",
        "Password untuk membuka e-statement Anda 482913. Jangan dibagikan",
        "Пароль для открытия файла: 482913. Никому не сообщайте",
        "Mat khau mo file sao ke cua quy khach la 482913",
    ],
)
def test_the_password_of_a_file_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Your payment of 32,000 RWF to Aqua with token 482913 has been completed. Fee 300 RWF",
    ],
)
def test_a_payment_that_is_completed_has_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Dear Customer, the mandate on your card ending 4829 is active with these"
            " details:\nMerchant: Lotus Music\nDescription: subscription\nAmount (Rs):"
            " 99.00\nFrequency: monthly\nStart date: 16/01/2031\nEnd date: 31/12/2041"
        ),
    ],
)
def test_no_sum_makes_a_code_of_a_number_that_a_long_text_gives_to_another(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "pengen ngobrol bareng, hubungi aku ya 0 8 1 2 9 1 4 0 1 1 5",
        "Pick a number ( 1 2 3 4 5 6 7 8 9 ) and i will tell your star. quick reply",
    ],
)
def test_a_row_of_more_than_eight_digits_is_a_phone_or_a_list(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Confirmado. O teu saldo foi retido por- 84111 - Rede. O teu novo saldo e de 0.00MT",
    ],
)
def test_by_whom_something_was_done_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "nomor wa anda mendapatkan rp.50.000.000,- kode verif wa anda (482913) info klik:"
            " https://bit.ly/undian8x"
        ),
        "yth kami sms kode cek anda (48291375) cair di bank, kunjungi www.cekmu.example",
        (
            "selamat !!! anda telah menerima dana tabungan kode: kbr48d7 untuk info klik"
            " http://bit.ly/dana33"
        ),
    ],
)
def test_money_that_one_gets_has_no_code_in_indonesian(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "lowongan kerja baru 2031 untuk semua jurusan, info lengkap di www.rekrut.example",
        "Everything on EMI, no card needed. Check now: hbr.in/s/uQ0g7fOSx",
        (
            "Kindly give your consent by clicking hbr.in/n/g2SmkB6Y1 to process your credit"
            " card application."
        ),
    ],
)
def test_work_and_credit_have_links_that_verify_nobody(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "2031 서울마라톤 신나게 뛰고 왔어요",
        "482913LOTUS限定公仔充电宝",
    ],
)
def test_a_number_that_begins_a_headline_without_blanks_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Guarde la configuración de internet que le enviamos. Su PIN es 1234",
        "Simpan pengaturan internet yang kami kirim. PIN Anda 1234",
        "تنظیمات اینترنت ارسالی را ذخیره کنید. پین شما 1234",
        "Para guardar los ajustes que recibirá, ingrese el PIN 1234",
        "Untuk menyimpan setting GPRS masukkan PIN 1234",
    ],
)
def test_the_pin_of_settings_is_no_code_whatever_is_kept(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Вы открываете сессию. Код операции: 482913057",
        "Your PIN is 4829. Valid for 5 minutes",
        "Your login PIN: 4829",
        "Code: 4 8 2 9 1 3",
        "您的验证码 4 8 2 9 1 3",
        "Ваш временный ПИН 4829, никому не сообщайте",
        "Код для входа 482913 действует до 24 августа 2031",
        "Your code 4829 expires on 24 August 2031",
        "Set your PIN with OTP 482913",
        "482913 카카오 인증번호",
        "Your 9-digit code is 482913057. Do not share it",
        "รหัส 482913 ใช้เข้าสู่ระบบ",
        "Temporary password 482913 has been set for your account. Change it after login",
        "Use 482913 to approve your EMI purchase. Do not share the OTP",
        "Jangan bagikan PIN ini: 482913",
        "Anda akan mendapatkan akses. Kode verifikasi 482913",
        "Se ha solicitado un PIN. PIN: 4829 para acceder a su cuenta",
        "Seu PIN para acessar é 4829",
    ],
)
def test_codes_beside_dates_settings_files_and_long_digits_are_codes(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Colis en attente: validez vos coordonnées avant ce soir"
            " https://maj-livraison.example/confirm/k8q"
        ),
        (
            "Votre dossier est incomplet. Complétez vos informations:"
            " https://espace-verif.example/secure/x7w2"
        ),
        (
            "Remboursement disponible suite à votre facture. Activez le versement:"
            " https://energie.example/maj/q4t8"
        ),
        (
            "Connexion suspecte détectée. Vérifiez votre identité:"
            " https://verif-compte.example/confirm/bd71"
        ),
        "Péage impayé: réglez avant majoration https://peage.example/secure/p1z",
        ("Mise à jour obligatoire de votre espace personnel: https://aides.example/confirm/u20e"),
        ("Su expediente está incompleto. Complete sus datos: https://tramite.example/confirm/x7w2"),
        ("Tiene un peaje impagado. Regularice antes del recargo: https://peaje.example/secure/p1z"),
        "Reembolso disponible de su factura. Actívelo: https://energia.example/confirm/q4t8",
        ("Il suo rimborso è disponibile. Confermi i dati: https://rimborso.example/confirm/q4t8"),
        (
            "Ihre Erstattung liegt bereit. Bestätigen Sie Ihre Daten:"
            " https://erstattung.example/confirm/q4t8"
        ),
        "Votre compte sera limité sous 12h: hxxps://espace-verif[.]example/maj/6pnu0",
    ],
)
def test_a_link_to_what_is_owed_or_paid_back_verifies_nobody(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "PRIVADO! Su cuenta muestra 750 puntos sin canjear. Llame al 08712345678. Código"
            " de identificación: 48291. Caduca el 24/10"
        ),
        (
            "PRIVÉ! Votre relevé indique 750 points S.I.M. non utilisés. Appelez le"
            " 08712345678 Code d'identification: 48291 Expire 24/10"
        ),
        (
            "خاص! كشف حسابك يظهر 750 نقطة غير مستردة. اتصل على 08712345678. رمز المعرف:"
            " 48291. صالح حتى 24/10"
        ),
        (
            "Your statement shows 750 unredeemed points. Call 08712345678 Identifier code"
            " 48291 Expires 24/10"
        ),
    ],
)
def test_points_that_are_to_be_claimed_have_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Иван Петрович, для оплаты счета от ООО Лес на сумму 841 руб. с карты VISA4881"
            " отправьте код 63351 на номер 900. Срок действия кода - 3 дня"
        ),
        "Send code 63351 to 900 to pay your bill of Rs 841. Valid for 3 days",
    ],
)
def test_a_code_that_is_to_be_sent_to_a_short_number_is_a_reply(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Borcunuzu ödemediğiniz takdirde yasal işlem başlar. (Ref: NLP2)",
        "Takip başlatılacaktır. Bilgi: 0555 111 2233 (Dosya: CZ48)",
    ],
)
def test_what_a_text_refers_to_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "হ্যাপি নিউ ইয়ার - ২০৩১। আমাদের সাথে থাকার জন্য ধন্যবাদ",
        "২৪ জানুয়ারি ২০৩১ বিশ্ব বই দিবস উদযাপিত হচ্ছে",
        "कार्यक्रम २४ अगस्त २०३१ को होगा, ऐप में पुष्टि करें",
        "أكد حضورك يوم 24 أغسطس 2031 في التطبيق",
        "ยืนยันการเข้าร่วมวันที่ 24 สิงหาคม 2574 ในแอป",
        "אשרו הגעה ב-24 באוגוסט 2031 באפליקציה",
        "حضور خود را در ۲۴ مرداد ۱۴۱۰ در برنامه تایید کنید",
    ],
)
def test_years_are_told_in_scripts_of_their_own(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "২০০ টাকা বিনামূল্যে বোনাস! এখনই নিন https://cutt.example/JiLk8",
        "पुरस्कार जीतें! मुफ्त बोनस यहाँ पाएं https://cutt.example/JiLk8",
        "৫০০০টাকা জেতার সুযোগ। এখনই আসুন",
    ],
)
def test_a_bonus_has_no_code_in_scripts_of_south_asia(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Votre code de remboursement à valider: 482913. Ne le partagez pas",
        "Pour compléter votre dossier, code de vérification 482913",
        "Confirmez votre adresse e-mail: https://lac.example/confirm/Xy7kQ2",
        "Vérifiez votre adresse: https://lac.example/verify?token=ab83kd",
        "Réinitialisez votre mot de passe: https://lac.example/reset/Xy7kQ2",
        "Code d'identification: 482913, valable 5 minutes",
        "Código de identificación: 482913. No lo comparta",
        "رمز التحقق: 48291 صالح لمدة 5 دقائق",
        "Отправляем код 482913 для входа",
        "Код: 63351. Никому не отправляйте его",
        "আপনার কোড ৪৮২৯১৩",
        "আপনার ওটিপি ৪৮২৯ ২৪ জানুয়ারি পর্যন্ত বৈধ",
        "أدخل الرمز 482913 قبل 24 أغسطس",
        "รหัส OTP 4829 (Ref: NLP2)",
        "OTP 482913 (Ref: QKXT) ใช้ภายใน 5 นาที",
        "Kodunuz 482913 (Ref: NLP2)",
    ],
)
def test_codes_beside_the_same_words_are_codes(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Код подтверждения не нужен",
        "Для записи назовите код подтверждения",
        "ND: gui ma otp cho em",
        "The verification code is not needed",
        "El código de verificación no es necesario",
    ],
)
def test_a_whole_sentence_about_codes_is_no_code_that_was_cut_off(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "โอ๊ย ขำไม่ไหวแล้วแก 5555",
        "เมื่อวานไปกินมาแล้ว อร่อยมากแก 55555",
        "ถ้าไม่ฝนตกก็ไปแล้ว5555 เสียดาย",
        "عدت الى البلد في 2019 والحال تغير كثيرا",
        "स्टेशन पर भीड़ देखो 2000 लोग होंगे शायद",
    ],
)
def test_a_number_in_letters_whose_words_are_listed_is_no_code_without_any(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "482913 ใช้สำหรับเข้าสู่ระบบ",
        "รหัส 5555 ห้ามบอกใคร",
        "OTP ของคุณคือ 55555",
        "رمزك هو 2019 لا تشاركه",
        "आपका कोड 2000 है",
    ],
)
def test_a_number_there_that_a_word_names_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "亲爱的用户，您的手机号已被“周末大舞台”栏目选为幸运观众，请登录wudai.example查看，验证码4082",
        "恭贺！您的号码被抽选为二等用户，得笔记本一台，详情登录 hedong.example 校验码 82",
        "您的号被《越野兄弟》选为活动号，请登录 yueye.example 输入验证码",
        "老师带队布局，每天一只票，人满即封，加我微信，验证码72851，拒收回t",
        "李先生，您在河东国际的会员账号hd22，取款密码hd8860，还有20元余额，请登入",
        "مبروك! تم اختيار رقمك فائزا بالسحب، ادخل hadiya.example رمز التحقق 4082",
        "Evviva! Il tuo numero è stato estratto, vai su bosco.example, codice di verifica 4082",
        "Glückwunsch! Ihre Nummer wurde als Gewinner gezogen: see.example, Bestätigungscode 4082",
        "Parabéns, seu número foi sorteado! Acesse lago.example, código de verificação 4082",
    ],
)
def test_who_was_chosen_by_lot_is_lured_with_what_is_called_a_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "【周末大舞台】您正在参加抽奖活动，验证码408213，5分钟内有效",
        "【河东】您的会员账号正在修改取款密码，验证码408213，请勿泄露",
        "您已被邀请加入家庭组，验证码408213，请勿告诉他人",
        "Il tuo numero è stato cambiato: codice di verifica 408213",
        "Ihre Nummer wurde geändert. Bestätigungscode 408213",
    ],
)
def test_codes_with_the_words_of_a_draw_are_codes(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "não dá pra acreditar nisso, guarda esse vídeo pra vida toda https://t.co/k8Qw2xLp9Z",
        "via @bosque: confirma se é assim mesmo gente https://bit.ly/3kQw2xL",
        "imibereho myiza mwese muri iki gitondo, confirm https://t.co/tQ3XSjYAzP",
    ],
)
def test_a_link_that_everybody_shares_is_none_that_verifies(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rosa Wend wants to be friends. Reply 1 to confirm or go to: https://plz.example/l/9aXk27Q",
        "Ana Lima quer ser sua amiga na Praça. Confirme em https://praca.example/l/9aXk27Qz",
        "Ana López quiere ser tu amiga en Plaza. Confirma: https://plaza.example/l/9aXk27Qz",
        "Jan Beck möchte mit dir befreundet sein. Bestätigen: https://platz.example/l/9aXk27Qz",
        "Лена хочет добавить вас в друзья. Подтвердите: https://plos.example/l/9aXk27Qz",
        "You have a new friend request from Ben. Confirm: https://plz.example/l/9aXk27Qz",
    ],
)
def test_who_wants_to_be_a_friend_sends_no_link_that_verifies(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Confirm your account: https://plz.example/confirm/9aXk27Qz",
        "Tap to log in to Plaza: https://plz.example/l/9aXk27Qz",
        "Подтвердите вход: https://plos.example/l/9aXk27Qz",
        "Verify your e-mail: https://bit.ly/verify-9aXk27Qz",
    ],
)
def test_links_that_verify_are_codes_beside_the_same_words(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Нужны водители, оплата от 100000 в неделю, подтверди в личку",
        "Ищем людей на склад. 4000 за смену, вход свободный",
        "Drivers wanted, 4000 a week, confirm with me",
        "Buscamos repartidores, 40000 por semana, confirma por mensaje",
        "Fahrer gesucht, 4000 pro Woche, bitte bestätigen",
        "Procuramos motoristas, 4000 por semana, confirme comigo",
        "Cherchons livreurs, 4000 par semaine, confirmez vite",
        "Изд. 2019 год.",
    ],
)
def test_what_is_paid_for_a_week_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Код 100000, в неделю не больше трех попыток",
        "Your code 4000. A week is left to confirm",
        "Code 400012 par SMS, une fois par semaine",
        "Код 4829 годен 5 минут",
    ],
)
def test_a_code_beside_a_week_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "[가람군청]2.4(금) 11시 확진자 안내, 증상 확인 후 출근 바랍니다",
        "[가람시청]확진자 5명/▶동선 및 접촉자 없음/▶출근 전 검사 및 KF94마스크 착용 바랍니다",
        "nti yɛn kraa b3y3 sɛn wɔ ha",
        "Harbour Security: 正在验证号码",
    ],
)
def test_a_day_of_the_week_a_mask_a_word_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "[가람군청]확인번호 2 2 4 8 1 1 입력해 주세요",
        "Harbour: your code is KF94",
        "【北岸】正在验证号码，验证码4829",
    ],
)
def test_a_code_of_the_same_look_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "5555 เมื่อคืนใครเมาบ้างยกมือขึ้น",
        "55555ขำจนปวดท้องเลยแก",
        "Каталог ведёт к вам более чем в 500000 магазинов. Действительно недорого!",
        "свыше 500000 человек уже с нами",
        "Подпишись, нас почти 5000 уже",
        "1000 раз говорил тебе ))",
        "Дед родился в 1916 г. в деревне",
        "Реклама. ИП Лесной Erid: LjP2K5Mib",
        "mari kita dukung tim kita untuk 2031",
        "ya khoya wach l9iti dak l7aja",
        "[Bosque] mehr als 5000 haben schon bestätigt",
        "piu di 5000 hanno gia confermato",
        "Hot new tune! Reply with code to get this tune: 703454 Molue by Kola",
        "Please SAVE the setup information that follows to enable data. Security code is 0000",
        "蓝湾新客户注册送138472，小伙伴都在玩 lanwan.example/K3bgf22",
        "【晚会】已抽选您为场外之星，详进 hui.example 校验码 5310",
        "恭贺您成为场外幸运之星，请点击 hui.example 查领验证码5310",
    ],
)
def test_an_amount_a_tune_a_laugh_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "482913 ใช้ยืนยันตัวตน",
        "Код 482913. Действует 5 минут",
        "Код 3142 действителен до 18:00",
        "Более 500000 человек с нами. Ваш код: 482913",
        "Kode untuk masuk: 2031",
        "Kode OTP untuk 2031 adalah 482913",
        "Security code for changing your settings: 482913",
        "Your code for Ringtone Hall is 482913, do not share it",
        "【蓝湾】验证码已发送482913，请输入",
        "【晚会】投票验证码5310，5分钟内有效",
        "mehr als 5 Minuten gilt der Code 4829 nicht",
        "Tippe 4829 ein, um dich anzumelden",
    ],
)
def test_a_code_beside_an_amount_a_tune_a_setting_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "【北岸】请查收验证码：482913，5分钟内有效",
        "【北岸】您被好友选为紧急联系人，确认请输入验证码482913",
        "Ihre Nummer ist umgezogen. Bestätigungscode 482913, bitte nicht weitergeben",
        "Per il numero di estratto conto 77 il codice di verifica è 482913",
    ],
)
def test_a_code_whose_words_are_nearly_those_of_a_draw_is_one(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Harbour nights 2019 with Osk and 1284 others on the pier",
        "Halloween 2013 (@Northgate Hall and 1204 others) for you",
        "1721～1724年在北岸大学任教",
        "感谢0731琴行的各位老师",
        "理财顾问提现五险一金3600",
        "1840～1842年の人口調査について",
        "Harap ingatkan Wulan (48291) untuk datang minggu ini dengan kartu",
        "Dapatkan video dan film, kirim teks GO ke 81905 untuk gratis",
        "فروش فوری خودرو مدل ۲۰۱۷ با قیمت قطعی خیابان شهدا تلفن ۰۱۳۴۸۲۹۱۳",
        "Watch the QXKLTN video for your home now: https://rm3.example/jn6lsm",
    ],
)
def test_a_number_without_a_word_for_codes_in_a_listed_language_is_none(text: str) -> None:
    assert not recognise(REGISTRY, text).otp


@pytest.mark.parametrize(
    "text",
    [
        "heron42: 51830",
        "1240 maybe... still full...",
        "orla: 0300 is the class of a VGA controller",
        "uid=1000(mara) gid=1000(mara) groups=4(adm),20(dialout),24(cdrom),1000(mara)",
        "Мы продали за неделю 45000 тетрадей",
    ],
)
def test_a_number_in_chat_or_in_a_programs_output_is_no_code(text: str) -> None:
    assert not recognise(REGISTRY, text, sender="Example").otp


@pytest.mark.parametrize(
    "text",
    [
        "Kirjaudu sisään: syötä 482913 sovellukseen",
        "482913 pro přihlášení do Kolumo",
        "ኮድዎ 482913 ነው",
        "Kolumo: 482913 – potwierdź logowanie",
    ],
)
def test_a_code_in_a_language_without_many_words_is_one(text: str) -> None:
    assert recognise(REGISTRY, text, sender="Example").otp


@pytest.mark.parametrize(
    "text",
    [
        " 76500 17900",
        "Asha Luma - 098200 42600",
        "Name: Asha Luma\nMobile: +91 76500 40100",
    ],
)
def test_a_phone_number_in_two_groups_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Arriving Today: Whey Protein 100 - 5 Lbs (GOURMET CHOCOLATE) will be delivered by"
            " LumaAgent(+912065550100 PIN 1057). Track: http://luma.example/d/c00H0le"
        ),
        (
            "Your cancellation code is 482913 for Luma Sky WO no. 1-1XLUM6. Kindly share it with"
            " our representative only if your request is resolved or visit is not required."
        ),
    ],
)
def test_a_code_for_who_comes_to_the_door_is_none(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Your code: 482 913",
        "4829 is your code. 2 minutes",
        "OTP for cancellation of your booking is 482913. Do not share it.",
    ],
)
def test_a_code_in_groups_or_of_a_cancellation_is_one(text: str) -> None:
    assert otp(text)
