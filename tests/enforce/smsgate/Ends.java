import com.chinamobile.cmos.sms.SmsAlphabet;
import com.chinamobile.cmos.sms.SmsDcs;
import com.chinamobile.cmos.sms.SmsTextMessage;
import com.zx.sms.BaseMessage;
import com.zx.sms.LongSMSMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitRequestMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitResponseMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitRequestMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitResponseMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitRespMessage;
import com.zx.sms.codec.smpp.Address;
import com.zx.sms.codec.smpp.msg.SubmitSm;
import com.zx.sms.codec.smpp.msg.SubmitSmResp;
import com.zx.sms.common.util.ChannelUtil;
import com.zx.sms.common.util.MsgId;
import com.zx.sms.connect.manager.EndpointEntity;
import com.zx.sms.connect.manager.EndpointEntity.ChannelType;
import com.zx.sms.connect.manager.EndpointEntity.SupportLongMessage;
import com.zx.sms.connect.manager.EndpointManager;
import com.zx.sms.connect.manager.cmpp.CMPPClientEndpointEntity;
import com.zx.sms.connect.manager.cmpp.CMPPServerChildEndpointEntity;
import com.zx.sms.connect.manager.cmpp.CMPPServerEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipClientEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipServerChildEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipServerEndpointEntity;
import com.zx.sms.connect.manager.smgp.SMGPClientEndpointEntity;
import com.zx.sms.connect.manager.smgp.SMGPServerChildEndpointEntity;
import com.zx.sms.connect.manager.smgp.SMGPServerEndpointEntity;
import com.zx.sms.connect.manager.smpp.SMPPClientEndpointEntity;
import com.zx.sms.connect.manager.smpp.SMPPServerChildEndpointEntity;
import com.zx.sms.connect.manager.smpp.SMPPServerEndpointEntity;
import com.zx.sms.handler.api.AbstractBusinessHandler;
import com.zx.sms.handler.api.BusinessHandlerInterface;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.Promise;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import otpguard.smsgate.GateClient;
import otpguard.smsgate.GateHandler;

/**
 * Real clients and a real server of one protocol, with the gate's handler between them; told by
 * lines what to send: `client TAB number TAB recipient TAB sender TAB dcs TAB base64 of the text`.
 * Says `RESULT client number result…` for the answers of each part, `REACHED recipient base64` for
 * what passed. Each client has a bind of its own, and waits for nobody but itself.
 * Arguments: protocol, its port, the gate's port, its time-out in ms, how many clients.
 */
public final class Ends {
    private static final String USER = "test01";
    private static final String PASSWORD = "1qaz2wsx";

    public static void main(String[] words) throws Exception {
        String protocol = words[0];
        int port = Integer.parseInt(words[1]);
        GateClient gate = new GateClient(
                "127.0.0.1", Integer.parseInt(words[2]), "", Long.parseLong(words[3]), 1_000);
        int count = Integer.parseInt(words[4]);
        List<BusinessHandlerInterface> handlers = new ArrayList<>();
        handlers.add(new GateHandler(gate, new GateHandler.Codes()));
        handlers.add(new Phone());
        EndpointEntity[] ends = ends(protocol);
        EndpointEntity server = ends[0], child = ends[1];
        server.setId("server");
        server.setHost("127.0.0.1");
        server.setPort(port);
        server.setValid(true);
        child.setId("child");
        child.setValid(true);
        child.setChannelType(ChannelType.DUPLEX);
        child.setMaxChannels((short) (count + 2));
        child.setReSendFailMsg(false);
        child.setSupportLongmsg(SupportLongMessage.BOTH);
        child.setBusinessHandlerSet(handlers);
        for (java.lang.reflect.Method each : server.getClass().getMethods()) {
            if (each.getName().equals("addchild")) { // no interface has it
                each.invoke(server, child);
                break;
            }
        }
        EndpointManager.INS.openEndpoint(server);
        EndpointEntity[] clients = new EndpointEntity[count];
        ExecutorService[] senders = new ExecutorService[count];
        for (int n = 0; n < count; n++) {
            clients[n] = opened(ends(protocol)[2], "client" + n, port);
            senders[n] = Executors.newSingleThreadExecutor();
        }
        for (EndpointEntity client : clients) {
            while (client.getSingletonConnector() == null
                    || client.getSingletonConnector().getConnectionNum() < 1) {
                Thread.sleep(50);
            }
        }
        Thread.sleep(500); // the logins are answered
        say("READY");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] fields = line.split("\t", -1);
            int n = Integer.parseInt(fields[0]);
            senders[n].execute(() -> send(clients[n], protocol, fields));
        }
        for (ExecutorService sender : senders) {
            sender.shutdown();
            sender.awaitTermination(60, TimeUnit.SECONDS);
        }
        say("GATE " + gate.asked + " " + gate.refused + " " + gate.unanswered);
        System.exit(0);
    }

    private static EndpointEntity opened(EndpointEntity client, String id, int port) throws Exception {
        client.setId(id);
        client.setHost("127.0.0.1");
        client.setPort(port);
        client.setChannelType(ChannelType.DUPLEX);
        client.setMaxChannels((short) 1);
        client.setReSendFailMsg(false);
        client.setRetryWaitTimeSec((short) 60);
        client.setSupportLongmsg(SupportLongMessage.BOTH);
        client.setBusinessHandlerSet(new ArrayList<>());
        EndpointManager.INS.openEndpoint(client);
        return client;
    }

    private static EndpointEntity[] ends(String protocol) {
        switch (protocol) {
            case "smpp": {
                SMPPServerChildEndpointEntity child = new SMPPServerChildEndpointEntity();
                child.setSystemId(USER);
                child.setPassword(PASSWORD);
                SMPPClientEndpointEntity client = new SMPPClientEndpointEntity();
                client.setSystemId(USER);
                client.setPassword(PASSWORD);
                client.setInterfaceVersion((byte) 0x34);
                return new EndpointEntity[] {new SMPPServerEndpointEntity(), child, client};
            }
            case "smgp": {
                SMGPServerChildEndpointEntity child = new SMGPServerChildEndpointEntity();
                child.setClientID("333");
                child.setPassword(PASSWORD);
                child.setClientVersion((byte) 0x13);
                SMGPClientEndpointEntity client = new SMGPClientEndpointEntity();
                client.setClientID("333");
                client.setPassword(PASSWORD);
                client.setClientVersion((byte) 0x13);
                return new EndpointEntity[] {new SMGPServerEndpointEntity(), child, client};
            }
            case "sgip": {
                SgipServerChildEndpointEntity child = new SgipServerChildEndpointEntity();
                child.setLoginName("333");
                child.setLoginPassowrd(PASSWORD);
                child.setNodeId(3025000001L);
                SgipClientEndpointEntity client = new SgipClientEndpointEntity();
                client.setLoginName("333");
                client.setLoginPassowrd(PASSWORD);
                client.setNodeId(3073100002L);
                return new EndpointEntity[] {new SgipServerEndpointEntity(), child, client};
            }
            default: {
                short version = (short) (protocol.equals("cmpp30") ? 0x30 : 0x20);
                CMPPServerChildEndpointEntity child = new CMPPServerChildEndpointEntity();
                child.setUserName(USER);
                child.setPassword(PASSWORD);
                child.setChartset(Charset.forName("utf-8"));
                child.setVersion(version);
                CMPPClientEndpointEntity client = new CMPPClientEndpointEntity();
                client.setUserName(USER);
                client.setPassword(PASSWORD);
                client.setChartset(Charset.forName("utf-8"));
                client.setVersion(version);
                return new EndpointEntity[] {new CMPPServerEndpointEntity(), child, client};
            }
        }
    }

    private static void send(EndpointEntity client, String protocol, String[] fields) {
        StringBuilder results = new StringBuilder("RESULT " + fields[0] + " " + fields[1]);
        try {
            BaseMessage message = message(protocol, fields);
            for (Promise<BaseMessage> part : ChannelUtil.syncWriteLongMsgToEntity(client, message)) {
                boolean came = part.await(60, TimeUnit.SECONDS) && part.isSuccess();
                results.append(' ').append(came ? result(part.getNow()) : "none");
            }
        } catch (Exception failed) {
            failed.printStackTrace();
            results.append(" failed");
        }
        say(results.toString());
    }

    private static BaseMessage message(String protocol, String[] fields) {
        String recipient = fields[2], sender = fields[3];
        String text = new String(Base64.getDecoder().decode(fields[5]), StandardCharsets.UTF_8);
        SmsTextMessage sms = new SmsTextMessage(text, new SmsDcs((byte) Integer.parseInt(fields[4])));
        if (protocol.equals("smpp")) {
            SubmitSm one = new SubmitSm();
            one.setSourceAddress(new Address((byte) 0, (byte) 0, sender));
            one.setDestAddress(new Address((byte) 0, (byte) 0, recipient));
            one.setSmsMsg(sms);
            return one;
        }
        if (protocol.equals("smgp")) {
            SMGPSubmitMessage one = new SMGPSubmitMessage();
            one.setSrcTermId(sender);
            one.setDestTermIdArray(recipient);
            one.setMsgContent(sms);
            return one;
        }
        if (protocol.equals("sgip")) {
            SgipSubmitRequestMessage one = new SgipSubmitRequestMessage();
            one.setSpnumber(sender);
            one.setUsernumber(recipient);
            one.setMsgContent(sms);
            return one;
        }
        CmppSubmitRequestMessage one = CmppSubmitRequestMessage.create(recipient, sender, "");
        one.setMsgContent(sms);
        return one;
    }

    private static String result(BaseMessage answer) {
        if (answer instanceof CmppSubmitResponseMessage) {
            return String.valueOf(((CmppSubmitResponseMessage) answer).getResult());
        } else if (answer instanceof SgipSubmitResponseMessage) {
            return String.valueOf(((SgipSubmitResponseMessage) answer).getResult());
        } else if (answer instanceof SMGPSubmitRespMessage) {
            return String.valueOf(((SMGPSubmitRespMessage) answer).getStatus());
        } else if (answer instanceof SubmitSmResp) {
            return String.valueOf(((SubmitSmResp) answer).getCommandStatus());
        }
        return answer.getClass().getSimpleName();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** The rest of the gateway: takes what passes, and answers each part of it. */
    private static final class Phone extends AbstractBusinessHandler {
        @Override
        public String name() {
            return "Phone";
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!(message instanceof LongSMSMessage)) {
                context.fireChannelRead(message);
                return;
            }
            String recipient = "", text = "";
            if (message instanceof CmppSubmitRequestMessage) {
                recipient = ((CmppSubmitRequestMessage) message).getDestterminalId()[0];
                text = ((CmppSubmitRequestMessage) message).getMsgContent();
            } else if (message instanceof SgipSubmitRequestMessage) {
                recipient = ((SgipSubmitRequestMessage) message).getUsernumber()[0];
                text = ((SgipSubmitRequestMessage) message).getMsgContent();
            } else if (message instanceof SMGPSubmitMessage) {
                recipient = ((SMGPSubmitMessage) message).getDestTermIdArray()[0];
                text = ((SMGPSubmitMessage) message).getMsgContent();
            } else if (message instanceof SubmitSm) {
                recipient = ((SubmitSm) message).getDestAddress().getAddress();
                text = ((SubmitSm) message).getMsgContent();
            }
            byte[] octets = text.getBytes(StandardCharsets.UTF_8);
            say("REACHED " + recipient + " " + Base64.getEncoder().encodeToString(octets));
            accept(context, message);
            List<?> parts = ((LongSMSMessage<?>) message).getFragments();
            if (parts != null) {
                for (Object part : parts) {
                    accept(context, part);
                }
            }
        }

        private static void accept(ChannelHandlerContext context, Object message) {
            if (message instanceof CmppSubmitRequestMessage) {
                CmppSubmitResponseMessage answer = new CmppSubmitResponseMessage(
                        ((CmppSubmitRequestMessage) message).getHeader().getSequenceId());
                answer.setMsgId(new MsgId());
                context.writeAndFlush(answer);
            } else if (message instanceof SgipSubmitRequestMessage) {
                SgipSubmitResponseMessage answer =
                        new SgipSubmitResponseMessage(((SgipSubmitRequestMessage) message).getHeader());
                answer.setTimestamp(((SgipSubmitRequestMessage) message).getTimestamp());
                context.writeAndFlush(answer);
            } else if (message instanceof SMGPSubmitMessage) {
                SMGPSubmitRespMessage answer = new SMGPSubmitRespMessage();
                answer.setSequenceNo(((SMGPSubmitMessage) message).getSequenceNo());
                context.writeAndFlush(answer);
            } else if (message instanceof SubmitSm) {
                SubmitSmResp answer = ((SubmitSm) message).createResponse();
                answer.setMessageId(String.valueOf(System.nanoTime()));
                context.writeAndFlush(answer);
            }
        }
    }
}
