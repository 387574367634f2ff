package otpguard.smsgate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.zx.sms.codec.cmpp.msg.CmppSubmitRequestMessage;
import com.zx.sms.codec.cmpp.wap.LongMessageFrame;
import com.zx.sms.codec.cmpp.wap.LongMessageFrameHolder;
import com.zx.sms.codec.sgip12.msg.SgipSubmitRequestMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitMessage;
import com.zx.sms.codec.smpp.msg.SubmitSm;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** A submit of one of the four protocols, as the gate is asked about it. */
final class Question {
    private static final JsonFactory JSON = new JsonFactory();
    private static final int NAME_CHARS = 64; // what the gate takes, as the next
    private static final int IDENTIFIER_CHARS = 128;

    final String[] recipients;
    final String sender;
    final String text;
    private int segment = 1;
    private int segments = 1;
    private int reference;

    private Question(String[] recipients, String sender, String text) {
        this.recipients = recipients == null ? new String[0] : recipients;
        this.sender = sender == null ? "" : sender;
        this.text = text;
    }

    /** The question about one part of a message, or about one that has no parts. */
    static Question ofPart(SubmitSm part) throws Exception {
        LongMessageFrame frame = part.generateFrame(); // with sar_* and message_payload in place
        Question whole = of(part);
        Question question =
                new Question(whole.recipients, whole.sender, LongMessageFrameHolder.INS.getPartTextMsg(frame));
        if (frame.isHasTpudhi()) {
            question.number(frame.getMsgContentBytes());
        }
        return question;
    }

    /** Take the part's number from the header before its text (3GPP TS 23.040, 9.2.3.24.1 and .8). */
    private void number(byte[] content) {
        int end = 1 + (content[0] & 0xFF);
        for (int at = 1; at + 2 <= end && end <= content.length; at += 2 + (content[at + 1] & 0xFF)) {
            int wide = content[at] == 0x00 ? 1 : content[at] == 0x08 ? 2 : 0;
            int last = at + 1 + wide + 2;
            if (wide == 0 || content[at + 1] != wide + 2 || last >= end) {
                continue;
            }
            int of = content[last - 1] & 0xFF, number = content[last] & 0xFF;
            if (number >= 1 && number <= of) {
                segment = number;
                segments = of;
                reference = wide == 1 ? content[at + 2] & 0xFF
                        : (content[at + 2] & 0xFF) << 8 | content[at + 3] & 0xFF;
            }
            return;
        }
    }

    /** The question about a message, or null if it is none that is submitted. */
    static Question of(Object message) {
        if (message instanceof CmppSubmitRequestMessage) {
            CmppSubmitRequestMessage one = (CmppSubmitRequestMessage) message;
            return new Question(one.getDestterminalId(), one.getSrcId(), one.getMsgContent());
        }
        if (message instanceof SgipSubmitRequestMessage) {
            SgipSubmitRequestMessage one = (SgipSubmitRequestMessage) message;
            return new Question(one.getUsernumber(), one.getSpnumber(), one.getMsgContent());
        }
        if (message instanceof SMGPSubmitMessage) {
            SMGPSubmitMessage one = (SMGPSubmitMessage) message;
            return new Question(one.getDestTermIdArray(), one.getSrcTermId(), one.getMsgContent());
        }
        if (message instanceof SubmitSm) {
            SubmitSm one = (SubmitSm) message;
            String sender = one.getSourceAddress() == null ? "" : one.getSourceAddress().getAddress();
            String recipient = one.getDestAddress() == null ? "" : one.getDestAddress().getAddress();
            return new Question(new String[] {recipient}, sender, one.getMsgContent());
        }
        return null;
    }

    /** The body of the question about one of the recipients. */
    byte[] body(String recipient, String messageId, String account) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(512);
        try (JsonGenerator json = JSON.createGenerator(out)) {
            json.writeStartObject();
            json.writeStringField("recipient", cut(recipient, IDENTIFIER_CHARS));
            json.writeStringField("message_id", cut(messageId, IDENTIFIER_CHARS));
            json.writeStringField("sender", cut(sender, NAME_CHARS));
            if (text != null) {
                json.writeStringField("text", text);
            }
            json.writeStringField("account_id", cut(account, NAME_CHARS));
            if (segments > 1) {
                json.writeNumberField("segment", segment);
                json.writeNumberField("segments", segments);
                json.writeNumberField("reference", reference);
            }
            json.writeEndObject();
        }
        return out.toByteArray();
    }

    /** Whether an answer says "refuse"; whatever cannot be read does not. */
    static boolean refuses(ByteBuf body) {
        try (InputStream in = new ByteBufInputStream(body); JsonParser json = JSON.createParser(in)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                return false;
            }
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.getCurrentName();
                json.nextToken();
                if (name.equals("ruling")) {
                    return "refuse".equals(json.getText());
                }
                json.skipChildren();
            }
        } catch (IOException unreadable) {
            return false;
        }
        return false;
    }

    private static String cut(String text, int chars) {
        return text == null ? "" : text.length() <= chars ? text : text.substring(0, chars);
    }
}
