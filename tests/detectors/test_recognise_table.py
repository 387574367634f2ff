"""One text a line: codes and look-alikes in the wording of many senders, beside the labelled set.

Texts are made up; each stands for a way of saying it that has its own trap.
"""

from __future__ import annotations

import pytest

from detectors.recognise import recognise
from detectors.registry import Registry

REGISTRY = Registry.shipped()

CODES = """
【知乎】你的注册验证码是 330912，10 分钟内有效。
【微信】微信验证码884512，本验证码仅供注册微信使用，严禁转发
欢迎使用叮当快药，您的短信校验码为：6672，如非本人操作请忽略【叮当快药】
【百度】您正在更换密保手机，验证码：882716（5分钟内有效）。切勿转发或告知他人
[闲鱼]验证码：7712，请勿告诉他人
【交行】您的手机银行动态密码是：394857，交易金额2,000.00元，收款人尾号8834，请勿泄露。
【招商银行】您尾号8834的一卡通正在网上支付，金额99.00元，验证码339812，任何索要验证码的都是骗子
【民生银行】尊敬的客户，序号为5的短信验证码为：441298，您正在进行转账
【国家税务总局】个人所得税APP登录验证码 882910，30分钟内有效
尊敬的用户，您本次操作的动态验证码为 910233
【12306】验证码:448190,您正在登录
【58同城】验证码 338812，转发可能导致账号被盗
【360】您的校验码为883721，来自360账号
【携程】302918（携程验证码，5分钟内有效）
【顺丰】验证码：8822，您正在绑定月结卡号
验证码：一二三四五六，请勿泄露
【某APP】验 证 码：882 731
【微博】登录验证码是８８３９２１
【航旅】您的短信验证码为 ABX19K
【唯品会】验证码392811，您正在使用优惠券支付，请勿泄露。回T退订
您的驗證碼為 559102，請於5分鐘內輸入。
【露天拍賣】簡訊認證碼：88213
[PChome] 您的一次性密碼為 339281
【LINE Pay】驗證碼 3382，請勿提供給他人
482913 is your verification code for Acme.
Your verification code is 482 913
Use code 482913 to log in to your account. It expires in 5 minutes.
Acme: Your OTP is 4829. Do not share it.
Your one-time PIN is 48291.
Please use 48291377 as your login code for Acme
Acme security code: 482913. Don't share it with anyone
482913 is the One Time Password (OTP) to reset your account password
Dear customer, 482913 is your OTP for transaction of Rs.500.00 at Flipkart. -AXIS Bank
Here is your Acme sign in code: 482913
Enter 482913 to confirm your phone number
Do not share your OTP 482913 with anyone
Your temporary passcode: AB12CD
Acme: 482913 is your 2FA code
Your Acme registration code is 4829.
Acme verification: 482913
Your tac is 482913 for transfer RM500.00
(#) Your Uber code: 4829 qlRnn4A1sbt
Ваш код: 482913. Никому не говорите его
Код для входа в Telegram: 48291
Код подтверждения 4829 для регистрации на Avito
Пароль: 482913. Подтвердите вход в Сбербанк Онлайн
4829 — ваш код Яндекс
Tu código de verificación de Uber es 4829
482913 es tu codigo de seguridad
Introduce 482913 para iniciar sesión en tu cuenta
Su contraseña de un solo uso es 482913
Votre code de sécurité: 482913
482 913 est votre code de connexion
Utilisez le code 4829 pour vérifier votre compte
Mot de passe à usage unique : 482913
Ihr Code zur Anmeldung lautet 482913
Dein Code ist 4829. Gib ihn nicht weiter.
Ihre TAN: 482913 für die Überweisung
4829 ist Ihr Bestätigungscode
Il tuo codice di sicurezza è 482913
Codice: 4829 per accedere al tuo account
Il codice di conferma è 48291
Seu código de verificação é 4829
4829 é o seu código de acesso
Use o código 482913 para confirmar sua conta
Mã OTP của quý khách là 482913
Ma xac thuc cua ban la 4829
4829 la ma kich hoat cua ban
Kode verifikasi Anda 482913
4829 adalah kode OTP Anda. JANGAN BERIKAN
Doğrulama kodunuz: 4829
482913 onay kodu ile işleminizi tamamlayabilirsiniz
Tek kullanımlık şifreniz 482913
رمز التحقق الخاص بك: 482913
٤٨٢٩١٣ هو رمز التحقق
كود التفعيل 4829
کد ورود شما: 482913
کد تایید ۴۸۲۹۱
رمز پویا: 482913 مبلغ 1,000,000 ریال
קוד האימות שלך: 482913
הקוד שלך הוא 4829. אין להעביר לאחרים
आपका लॉगिन ओटीपी 482913 है
482913 आपका सत्यापन कोड है
รหัส OTP คือ 482913
รหัสยืนยันของคุณ: 4829
인증번호 482913을 입력하세요
[토스] 인증번호는 482913 입니다.
본인확인 인증번호[482913]를 화면에 입력해주세요
認証コードは「4829」です
あなたの確認コードは 482913 です
ワンタイムパスワード 482913
【PayPay】認証コード：4829 ※絶対に教えないでください
""".strip().split("\n")

LOOK_ALIKES = """
【菜鸟】您的快递已到，取件码 4-2-8823，请尽快取件
【丰巢】凭取件码883921到柜机取件
【京东】您的订单已发货，运单号JD882918273，验货后签收
【美团】您的团购券码为 8837 2918 22，请到店出示
【建设银行】您尾号8837的账户8月3日支出人民币882.00元，余额3382.12元
【工商银行】我行绝不会以任何理由索要您的短信验证码，详询95588
【中国移动】尊敬的客户，您的话费余额为8.23元，请及时充值
【滴滴】行程已开始，车牌辽B88213，司机电话13800138000
【支付宝】您的登录密码已修改，如非本人操作请致电95188
【航空】您的航班CZ3382将于08:30起飞，登机口A12
【某电商】双十一预售开启，定金50抵100，戳 t.cn/Az88 退订回T
发票代码 044001900111 发票号码 88291822
您的停车费已缴，车牌粤B88213，入场时间 0832
WiFi密码 88213377
您的会员卡号 88213377，密码 338812，请妥善保管
我到楼下了，门牌 1203 门禁密码 8821#
【医院】您的就诊号 8821，请到3楼候诊
【影院】取票码 883 129，请凭码取票
明天下午1430在A208开会
【招聘】诚聘兼职 日结500 加Q 88213377 无需验证码
【交警】您的车辆粤B88213于8月3日违停，请及时处理，查询12123
【国网】您的户号 8821337700 本月电费 88.21元
请拨打 4008123123 或 95588 咨询，不要泄露验证码
Your package will arrive today. Tracking number 88213377
Your pickup PIN is 8821 for locker 12
Order #88213 confirmed
Use promo code SAVE2024 for 20% off
Your flight AA1234 is delayed to 0830
Call 18005551234 for help
Your appointment is on 2024-08-12 at 0930
Your card ending in 8821 was charged $88.21
We will never ask you for your verification code. Call 8821337
Meet me at 1900 at the station
The gate code is 8821
Your table reservation 8821 is confirmed
Reminder: bill of 882133 due on 0812
Two-factor authentication is now enabled on your account
Your verification code has expired. Please request a new one.
Your zip code 90210 has been updated
Win 10000 coins now! Login code not needed
Reply 1234 to confirm your appointment
Balance: 88213 points. Redeem at store
Ваш заказ 882133 доставлен в пункт выдачи
Код получения посылки 8821
Карта *8821 списание 882р баланс 8821р
Промокод SALE8821 на скидку 20%
Su paquete 88213377 llega hoy, código de entrega 8821
Código postal 28001
Votre colis 88213377 est en route
Code promo ETE2024 -20%
Ihre Sendung 88213377 wird heute zugestellt
Gutscheincode: SOMMER2024
Il tuo ordine 882133 è stato spedito
Codice sconto 8821 valido fino al 12/08
Seu pedido 882133 saiu para entrega
Cupom de desconto 8821
Đơn hàng 882133 đã giao
Mã giảm giá 8821
Paket 882133 sudah sampai
Kode promo 8821 diskon 50%
Siparişiniz 882133 yola çıktı
İndirim kodu: 8821
طلبك رقم 882133 في الطريق
كود الخصم 8821
کد تخفیف 8821
سفارش 882133 ارسال شد
קוד קופון 8821
ההזמנה 882133 נשלחה
आपका ऑर्डर 882133 डिलीवर हो गया
कूपन कोड 8821
พัสดุ 882133 จัดส่งแล้ว
โค้ดส่วนลด 8821
주문번호 882133 배송 시작
쿠폰번호 8821
ご注文番号 882133
クーポンコード 8821
暗証番号を忘れた方は 0120882133
【楽天】ポイント8821進呈
Ваучер 8821-3377 на бензин
""".strip().split("\n")


@pytest.mark.parametrize("text", CODES)
def test_a_code_is_recognised_and_found(text: str) -> None:
    verdict = recognise(REGISTRY, text, sender="10690001")
    assert verdict.otp, verdict
    assert verdict.code_span is not None
    assert len(text[slice(*verdict.code_span)]) >= 4


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_is_no_code(text: str) -> None:
    verdict = recognise(REGISTRY, text, sender="10690001")
    assert not verdict.otp, verdict
