package otpguard.smsgate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.zx.sms.codec.cmpp.msg.CmppSubmitRequestMessage;
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

    private Question(String[] recipients, String sender, String text) {
        this.recipients = recipients == null ? new String[0] : recipients;
        this.sender = sender == null ? "" : sender;
        this.text = text;
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
