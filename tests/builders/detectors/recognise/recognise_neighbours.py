"""Builders that test_recognise_neighbours.py shares with other tests."""

from __future__ import annotations

WITH_A_WAY_OUT = """
Your Lumo code is 8339. Never share this code. Reply STOP ALL to unsubscribe.
3087 is your Lumo code. Never share this code. Reply STOP ALL to unsubscribe.
Your Tandem code is 604118. Do not share it with anyone. Text STOP to opt out.
Folio: your verification code is 551820. Never share it. folio.example/t Reply STOP to opt out
【路莫】您的代码是8339，请勿告诉他人。退订回T
【路莫】您的代碼是8339，請勿告訴他人。退訂回T
Lumoのコードは8339です。誰にも教えないでください。配信停止はSTOPと返信
[루모] 코드는 8339 입니다. 타인에게 알려주지 마세요. 무료수신거부 0801234567
Ваш код Lumo 8339. Никому не сообщайте его. Отписаться: STOP
Tu código Lumo es 8339. Nunca lo compartas. Responde BAJA para cancelar.
Seu código Lumo é 8339. Nunca compartilhe este código. Responda SAIR para cancelar.
Votre code Lumo est 8339. Ne le partagez jamais. STOP au 36111
Dein Lumo-Code ist 8339. Gib ihn niemals weiter. Antworte STOP zum Abmelden.
Il tuo codice Lumo è 8339. Non condividerlo mai. Rispondi STOP per disiscriverti.
Ma Lumo cua ban la 8339. Khong chia se ma nay. Soan TC gui 1234 de tu choi.
รหัส Lumo ของคุณคือ 8339 ห้ามบอกใคร ตอบ STOP เพื่อยกเลิกรับข้อความ
Kode Lumo kamu 8339. Jangan bagikan ke siapa pun. Balas STOP untuk berhenti.
Lumo kodunuz 8339. Bu kodu kimseyle paylaşmayın. SMS iptal için STOP yazın.
رمز لومو الخاص بك هو 8339. لا تشاركه مع أحد. لإلغاء الاشتراك أرسل STOP
کد لومو شما 8339 است. آن را به کسی ندهید. لغو11
קוד לומו שלך הוא 8339. אין לשתף אותו עם אף אחד. להסרה השיבו הסר
आपका लूमो कोड 8339 है। इसे किसी के साथ साझा न करें। सदस्यता समाप्त करने के लिए STOP भेजें
""".strip().split("\n")


AFTER_A_CARD = """
To approve 349.90 EUR at KSP on the card ending 4417 enter code 285590. Not you?
您尾号4417的卡在苏宁消费349.90元，请输入验证码285590，非本人操作请致电
您卡號末四碼4417於momo消費349元，請輸入驗證碼285590，切勿告知他人
下4桁4417のカードで349円のお支払い、認証コード285590を入力してください
카드끝자리 4417 결제 349원 인증번호 285590 입력하세요
Для оплаты 349.90 р картой *4417 введите код 285590. Это не вы?
Para autorizar 349,90 EUR en KSP con tarjeta terminada en 4417 ingrese el código 285590
Para autorizar R$ 349,90 na KSP com cartão final 4417 digite o código 285590. Não foi você?
Pour valider 349,90 EUR chez KSP avec la carte finissant par 4417 saisissez le code 285590
Zur Freigabe von 349,90 EUR bei KSP mit Karte Endziffern 4417 geben Sie Code 285590 ein
Per autorizzare 349,90 EUR presso KSP con carta che termina con 4417 inserisci il codice 285590
De xac nhan giao dich 349,000 VND bang the duoi 4417 nhap ma 285590. Khong phai ban?
อนุมัติรายการ 349.90 บาท ที่ KSP บัตรลงท้าย 4417 กรอกรหัส 285590
Untuk menyetujui Rp349.900 di KSP dengan kartu berakhiran 4417 masukkan kode 285590
4417 ile biten kartınızla 349,90 TL KSP alışverişini onaylamak için 285590 kodunu girin
لتأكيد شراء بمبلغ 349.90 ريال بالبطاقة المنتهية بـ 4417 أدخل الرمز 285590
برای تایید خرید 349000 ریال با کارت منتهی به 4417 رمز 285590 را وارد کنید
לאישור עסקה בסך 349.90 ש"ח ב-KSP בכרטיס המסתיים ב-4417 הזן קוד 285590. לא ביצעת?
4417 पर समाप्त कार्ड से KSP पर रु 349.90 के भुगतान हेतु OTP 285590 दर्ज करें
""".strip().split("\n")


LOOK_ALIKES = """
您有一件物品正在送达，收件密码5920，请在当面确认物品完好后告知闪送员。
您的物品已揽收，交付码 5920，送达时请告知帮送小哥
您有一件物品正在送達，收件密碼5920，請當面確認後告知外送員。
お荷物がまもなく到着します。お受け取り時に配達員へ認証番号5920をお伝えください
곧 배송 도착합니다. 수령 시 배송기사에게 인증번호 5920 을 말씀해 주세요
Your parcel arrives today. Tell this OTP to the delivery agent: 408127. COD amount Rs.649
Ваш заказ приедет сегодня. Сообщите курьеру код подтверждения 408127
Su paquete llega hoy. Al recibirlo diga al repartidor este código de verificación: 408127
Sua encomenda chega hoje. Informe ao entregador este código de confirmação: 408127
Votre colis arrive aujourd'hui. Donnez au livreur ce code de vérification : 408127
Ihr Paket kommt heute. Nennen Sie dem Zusteller diesen Bestätigungscode: 408127
Il tuo pacco arriva oggi. Comunica al corriere questo codice di verifica: 408127
Don hang giao hom nay. Doc ma OTP nay cho shipper khi nhan: 408127
พัสดุถึงวันนี้ แจ้งรหัส OTP นี้แก่ไรเดอร์ตอนรับของ: 408127
Paket tiba hari ini. Sebutkan OTP ini ke kurir saat terima: 408127
Paketiniz bugün geliyor. Teslimatta bu onay kodunu kuryeye söyleyin: 408127
شحنتك تصل اليوم. أخبر المندوب برمز التحقق هذا عند الاستلام: 408127
بسته شما امروز می‌رسد. هنگام تحویل این کد تایید را به پیک بگویید: 408127
החבילה מגיעה היום. מסרו לשליח את קוד האימות הזה: 408127
आपका पार्सल आज आ रहा है। डिलीवरी के समय एजेंट को यह OTP बताएं: 408127. COD राशि Rs.649
包裹 8840217735 已到小区柜。打开格口的密码：6093。请于10-20前取走
包裹 8840217735 已到置物櫃。打開櫃門的密碼：6093。請於10-20前取走
お荷物はロッカーにあります。扉を開けるコード：6093。10/20まで
택배가 보관함에 있습니다. 문 여는 번호: 6093. 10/20까지
Parcel 8840217735 is in the locker. Code to open the compartment: 6093. Collect by 20.10
Посылка 8840217735 в постамате. Код для открытия ячейки: 6093. Заберите до 20.10
Paquete 8840217735 en la taquilla. Código para abrir la casilla: 6093. Recójalo antes del 20.10
Encomenda 8840217735 no cacifo da Rua 41. Código para abrir a porta: 6093. Levante até 20.10
Colis 8840217735 en consigne. Code pour ouvrir le casier : 6093. À retirer avant le 20.10
Paket 8840217735 liegt im Schließfach. Code zum Öffnen des Fachs: 6093. Abholung bis 20.10.
Pacco 8840217735 nel locker. Codice per aprire lo sportello: 6093. Ritira entro il 20.10
Buu kien 8840217735 o tu do 41. Ma de mo ngan tu: 6093. Nhan truoc 20.10
พัสดุ 8840217735 อยู่ในล็อกเกอร์ รหัสเปิดช่อง: 6093 รับภายใน 20 ต.ค.
Paket 8840217735 di loker Herzl 41. Kode untuk membuka pintu: 6093. Ambil sebelum 20.10
Kargonuz 8840217735 dolapta. Gözü açmak için kod: 6093. 20.10'a kadar alın
طردك 8840217735 في الخزانة. رمز فتح الخانة: 6093. استلمه قبل 20.10
بسته 8840217735 در کمد است. کد باز کردن در کمد: 6093. تا 20.10 تحویل بگیرید
חבילה מספר 8840217735 ממתינה לך בלוקר סופר יהודה, הרצל 41. קוד לפתיחת התא: 6093. יש לאסוף עד 20.10
पार्सल 8840217735 लॉकर में है। खाना खोलने का कोड: 6093। 20.10 तक ले लें
新人注册送5000，代码 TP8847，无需验证码秒提现 tp88.example
新手註冊送5000，代碼 TP8847，免驗證碼即提領 tp88.example
新規登録で5000円、コード TP8847、認証コード不要で即出金 tp88.example
신규가입 5000 지급, 코드 TP8847, 본인인증 없이 즉시 출금 tp88.example
Sign up and get 5000, code TP8847, instant withdrawal without OTP tp88.example
Фрибет 5000р новым! Вводи код LUCKY77 при регистрации, без паспорта и смс-кодов
Regístrate y recibe 5000, código TP8847, retiro inmediato sin OTP tp88.example
Cadastre-se e receba 5000, código TP8847, saque na hora sem OTP tp88.example
Inscris-toi et reçois 5000, code TP8847, retrait immédiat sans OTP tp88.example
Jetzt registrieren, 5000 kassieren, Code TP8847, Auszahlung sofort ohne TAN tp88.example
Registrati e ricevi 5000, codice TP8847, prelievo immediato senza OTP tp88.example
Dang ky nhan 5000, ma: TP8847, rut tien ngay khong can OTP tp88.example
สมัครรับ 5000 โค้ด TP8847 ถอนทันที ไม่ต้องใช้ OTP tp88.example
Daftar dapat 5000, kode TP8847, tarik dana langsung tanpa OTP tp88.example
Kayıt ol 5000 kazan, kod TP8847, OTP olmadan anında çekim tp88.example
سجل واحصل على 5000، كود TP8847، سحب فوري بدون OTP tp88.example
ثبت نام کن ۵۰۰۰ بگیر، کد TP8847، برداشت فوری بدون OTP tp88.example
הירשמו וקבלו 5000, קוד TP8847, משיכה מיידית ללא OTP tp88.example
आज ही जीतें 50,000 तक! तीन पत्ती में 100 डालो 500 पाओ, कोड TP8847, बिना OTP तुरंत निकासी tp88.example
今日限定炸鸡9块19.9元，在App输入代码 KFC1010，至10月16日
今日限定炸雞9塊199元，於App輸入代碼 KFC1010，至10月16日
本日限りチキン9個1,990円、アプリでコード KFC1010 を入力、10/16まで
오늘만 치킨 9조각 19,900원 앱에서 코드 KFC1010 입력 10/16까지
Today only: 9 pc chicken $9.99, enter code KFC1010 in the app, until 16 Oct
Только сегодня 9 крыльев за 199 ₽, введите код KFC1010 в приложении до 16.10
Solo hoy: 9 piezas de pollo por 9,99 €, código KFC1010 en la app hasta el 16/10
Só hoje: 9 pedaços de frango por R$ 19,90, digite o código KFC1010 no app até 16/10
Aujourd'hui seulement : 9 pièces de poulet à 9,99 €, code KFC1010 dans l'appli jusqu'au 16/10
Nur heute: 9 Stück Hähnchen für 9,99 €, Code KFC1010 in der App, bis 16.10.
Solo oggi: 9 pezzi di pollo a 9,99 €, inserisci il codice KFC1010 nell'app fino al 16/10
Chi hom nay: 9 mieng ga 199.000d, nhap ma KFC1010 tren app den 16/10
วันนี้เท่านั้น ไก่ทอด 9 ชิ้น 199.- ใส่โค้ด KFC1010 ในแอป ถึง 16 ต.ค.
Hari ini saja: 9 potong ayam Rp99.000, masukkan kode KFC1010 di aplikasi sampai 16/10
Sadece bugün 9 parça tavuk 199 TL, uygulamada KFC1010 kodunu gir, 16.10'a kadar
اليوم فقط 9 قطع دجاج 29 ريال، أدخل كود KFC1010 في التطبيق حتى 16/10
فقط امروز ۹ تکه مرغ ۱۹۹ تومان، کد KFC1010 را در اپ وارد کنید تا ۱۶ مهر
רק היום 9 חתיכות עוף ב-49.90 ש"ח, הזינו קוד KFC1010 באפליקציה עד 16.10
सिर्फ आज 9 पीस चिकन ₹199, ऐप में कोड KFC1010 डालें, 16 अक्टूबर तक
【春秋】您的航班9C8871延误至10:05，确认码 7MQR2X
【星宇】航班JX317延誤至10:05起飛，確認碼 7MQR2X
JAL：10/25 JL317便（羽田09:25発 福岡行）は10:05発に変更となりました。確認番号 7MQR2X
[제주항공] 7C317편 10:05 지연 출발. 확인번호 7MQR2X
Delta: flight DL317 now departs 10:05. Confirmation code 7MQR2X
Аэрофлот: рейс SU317 задержан до 10:05. Код подтверждения 7MQR2X
Iberia: su vuelo IB317 sale ahora a las 10:05. Código de confirmación 7MQR2X
LATAM: seu voo LA317 partirá às 10:05. Código de confirmação 7MQR2X
Air France : votre vol AF317 partira à 10:05. Code de confirmation 7MQR2X
Lufthansa: Ihr Flug LH317 startet jetzt um 10:05. Bestätigungscode 7MQR2X
ITA: il volo AZ317 parte ora alle 10:05. Codice di conferma 7MQR2X
VNA: chuyen bay VN317 doi gio 10:05. Ma xac nhan 7MQR2X
การบินไทย: เที่ยวบิน TG317 เลื่อนเป็น 10:05 รหัสยืนยัน 7MQR2X
Garuda: penerbangan GA317 berangkat 10:05. Kode konfirmasi 7MQR2X
THY: TK317 uçuşunuz 10:05'e ertelendi. Onay kodu 7MQR2X
السعودية: رحلتك SV317 تغادر 10:05. رمز التأكيد 7MQR2X
ایران ایر: پرواز IR317 ساعت 10:05. کد تایید 7MQR2X
אל על: טיסה LY317 תמריא ב-10:05. קוד אישור 7MQR2X
इंडिगो: उड़ान 6E317 अब 10:05 बजे। पुष्टि कोड 7MQR2X
【云讯通】短信验证码低至3.2分/条，99%到达率，5秒必达，新客户注册送1000条，详询400-018-2266，拒收请回复R
【雲訊】簡訊驗證碼低至0.6元/則，註冊送1000則，洽0800-018-226
SMS認証コード配信が1通6円から、初月1000通無料。SMS送信サービスの資料はこちら
(광고)인증번호 문자 발송 건당 8원, 가입 시 1000건 무료. 대량문자는 센드온
Bulk SMS for OTP from $0.004, sign up and get 1000 free. Call 4000182266
СМС-рассылка и коды подтверждения от 2 р, за регистрацию дарим 1000 смс
SMS masivos: envía códigos de verificación desde 0,01 €, 1000 gratis al registrarte
SMS em massa: envie códigos de verificação por R$ 0,05, cadastre-se e ganhe 1000 envios
SMS en masse : envoyez vos codes de vérification dès 0,03 €, 1000 offerts
Massen-SMS: Bestätigungscodes ab 0,04 €, 1000 gratis bei Anmeldung
SMS massivi: codici di verifica da 0,03 €, 1000 in omaggio alla registrazione
SMS brandname: gui ma xac thuc chi 300d, dang ky tang 1000 tin
บริการส่ง SMS OTP เริ่ม 0.2 บาท สมัครรับ 1000 เครดิต
SMS blast & kode OTP mulai Rp150, daftar dapat 1000 gratis
Toplu SMS: doğrulama kodu gönderimi 0,05 TL, kayıt olana 1000 bedava
رسائل جماعية: أرسل رموز التحقق من 0.1 ريال، 1000 مجانا عند التسجيل
پنل پیامک: ارسال کد تایید از 50 تومان، 1000 رایگان با ثبت نام
דיוור SMS: שליחת קודי אימות מ-0.05 ש"ח, 1000 חינם בהרשמה
बल्क SMS: OTP भेजें 0.15 रु से, साइनअप पर 1000 मुफ्त
Bankamız sizden doğrulama kodunu asla istemez. Aramaları 0850 220 00 00'a bildirin. B016
2093 ile biten hesabınıza 14.10.2024 8.500,00 TL havale gelmiştir. Bakiye: 9.317,42 TL. B002
SMS şifrenizi isteyenlere inanmayın, 112'yi arayın B001
""".strip().split("\n")
