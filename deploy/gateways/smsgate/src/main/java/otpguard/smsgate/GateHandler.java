package otpguard.smsgate;

import com.zx.sms.BaseMessage;
import com.zx.sms.LongSMSMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitRequestMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitResponseMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitRequestMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitResponseMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitRespMessage;
import com.zx.sms.codec.smpp.msg.SubmitSm;
import com.zx.sms.codec.smpp.msg.SubmitSmResp;
import com.zx.sms.common.util.MsgId;
import com.zx.sms.handler.api.AbstractBusinessHandler;
import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the gate about every submit of a server's connection: the first of its business handlers.
 * What passes goes on to the next handler, whole again if it came in parts; what is refused is
 * answered here, each part of it, and goes no further. Never waits, and never raises.
 */
public final class GateHandler extends AbstractBusinessHandler {
    private static final Logger LOG = LoggerFactory.getLogger(GateHandler.class);

    /** Results that say "refused, for good" in each protocol; README.md says why these. */
    public static final class Codes {
        public long cmpp = 99;
        public short sgip = 30;
        public int smgp = 99;
        public int smpp = 0x45;
    }

    private final GateClient gate;
    private final Codes codes;

    public GateHandler(GateClient gate, Codes codes) {
        this.gate = gate;
        this.codes = codes;
    }

    @Override
    public String name() {
        return "otpguardGateHandler";
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        Question question = null;
        try {
            question = Question.of(message);
        } catch (RuntimeException unreadable) {
            LOG.warn("a submit passes unseen: {}", unreadable.getClass().getSimpleName());
        }
        if (question == null || question.recipients.length == 0) {
            context.fireChannelRead(message);
            return;
        }
        // A submit to several is refused only if it would be for each of them: there is one answer.
        AtomicInteger open = new AtomicInteger(question.recipients.length);
        AtomicBoolean passes = new AtomicBoolean();
        String account = getEndpointEntity() == null ? "" : getEndpointEntity().getId();
        String prefix = context.channel().id().asShortText() + "-" + sequence(message);
        for (int n = 0; n < question.recipients.length; n++) {
            byte[] body;
            try {
                body = question.body(question.recipients[n], prefix + "-" + n, account);
            } catch (IOException impossible) {
                body = new byte[0]; // no question: it passes
            }
            gate.ask(body, context.executor(), refuse -> {
                if (!refuse) {
                    passes.set(true);
                }
                if (open.decrementAndGet() == 0) {
                    ruled(context, message, !passes.get());
                }
            });
        }
    }

    private void ruled(ChannelHandlerContext context, Object message, boolean refuse) {
        if (!refuse) {
            context.fireChannelRead(message);
            return;
        }
        answer(context, message);
        List<?> parts = message instanceof LongSMSMessage ? ((LongSMSMessage<?>) message).getFragments() : null;
        if (parts != null) {
            for (Object part : parts) {
                answer(context, part);
            }
        }
        context.flush();
    }

    private void answer(ChannelHandlerContext context, Object message) {
        if (message instanceof CmppSubmitRequestMessage) {
            CmppSubmitRequestMessage one = (CmppSubmitRequestMessage) message;
            CmppSubmitResponseMessage response =
                    new CmppSubmitResponseMessage(one.getHeader().getSequenceId());
            response.setMsgId(new MsgId());
            response.setResult(codes.cmpp);
            context.channel().write(response);
        } else if (message instanceof SgipSubmitRequestMessage) {
            SgipSubmitRequestMessage one = (SgipSubmitRequestMessage) message;
            SgipSubmitResponseMessage response = new SgipSubmitResponseMessage(one.getHeader());
            response.setTimestamp(one.getTimestamp());
            response.setResult(codes.sgip);
            context.channel().write(response);
        } else if (message instanceof SMGPSubmitMessage) {
            SMGPSubmitRespMessage response = new SMGPSubmitRespMessage();
            response.setSequenceNo(((SMGPSubmitMessage) message).getSequenceNo());
            response.setStatus(codes.smgp);
            context.channel().write(response);
        } else if (message instanceof SubmitSm) {
            SubmitSmResp response = ((SubmitSm) message).createResponse();
            response.setCommandStatus(codes.smpp);
            context.channel().write(response);
        }
    }

    private static int sequence(Object message) {
        return message instanceof BaseMessage ? ((BaseMessage) message).getSequenceNo() : 0;
    }
}
