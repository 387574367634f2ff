package otpguard.smsgate;

import com.zx.sms.codec.smpp.DefaultPduTranscoder;
import com.zx.sms.codec.smpp.DefaultPduTranscoderContext;
import com.zx.sms.codec.smpp.msg.SubmitSm;
import com.zx.sms.connect.manager.smpp.SMPPServerChildEndpointEntity;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands between a sender's SMPP session and its message centre, and asks the gate about each
 * submit_sm: what is refused is answered here, everything else passes byte for byte and in order,
 * both ways. Each session has one of its own with the centre: binds, window, receipts and numbers
 * are the two ends' affair. README.md says how Kannel uses it.
 */
public final class SmppProxy {
    private static final Logger LOG = LoggerFactory.getLogger(SmppProxy.class);
    private static final int PDU_BYTES_MAX = 1 << 17; // message_payload has up to 64 KiB
    private static final int HEAD_BYTES = 16;
    private static final int BIND_TRANSMITTER = 2;
    private static final int SUBMIT_SM = 4;
    private static final int BIND_TRANSCEIVER = 9;
    private static final int RESPONSE = 0x80000000;
    private static final int NAME_BYTES = 64;
    /** Of one session, held until the gate has answered; beyond it nothing more is read. */
    private static final int HELD_MAX = 1_000;

    private final InetSocketAddress centre;
    private final GateClient gate;
    private final int code;
    private final NioEventLoopGroup loops = new NioEventLoopGroup();

    /** @param code command_status of what is refused; 0x45 (ESME_RSUBMITFAIL) unless there is a reason */
    public SmppProxy(InetSocketAddress centre, GateClient gate, int code) {
        this.centre = centre;
        this.gate = gate;
        this.code = code;
    }

    /** Begin to accept sessions. */
    public Channel listen(InetSocketAddress there) throws InterruptedException {
        return new ServerBootstrap().group(loops).channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel made) {
                        made.pipeline().addLast(frames(), new Sender());
                    }
                })
                .bind(there).sync().channel();
    }

    private static LengthFieldBasedFrameDecoder frames() {
        return new LengthFieldBasedFrameDecoder(PDU_BYTES_MAX, 0, 4, -4, 0);
    }

    /** A PDU on its way to the centre. */
    private static final class Held {
        final ByteBuf pdu;
        boolean settled;
        boolean refused;

        Held(ByteBuf pdu) {
            this.pdu = pdu;
        }
    }

    /** The sender's side of a session; everything on the event loop of its channel. */
    private final class Sender extends ChannelInboundHandlerAdapter {
        private final ArrayDeque<Held> held = new ArrayDeque<>();
        private final DefaultPduTranscoder transcoder = new DefaultPduTranscoder(
                new DefaultPduTranscoderContext(), new SMPPServerChildEndpointEntity());
        private String account = "";
        private Channel there;

        @Override
        public void channelActive(ChannelHandlerContext context) {
            Channel here = context.channel();
            there = new Bootstrap().group(here.eventLoop()).channel(NioSocketChannel.class)
                    .option(ChannelOption.TCP_NODELAY, true)
                    .handler(new ChannelInitializer<SocketChannel>() {
                        @Override
                        protected void initChannel(SocketChannel made) {
                            made.pipeline().addLast(new Centre(here));
                        }
                    })
                    .connect(centre).addListener(done -> {
                        if (done.isSuccess()) {
                            here.config().setAutoRead(true);
                        } else {
                            here.close(); // it comes again, as it would to a centre that is away
                        }
                    }).channel();
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf pdu = (ByteBuf) message;
            Held one = new Held(pdu);
            held.add(one);
            int command = pdu.readableBytes() < HEAD_BYTES ? 0 : pdu.getInt(pdu.readerIndex() + 4);
            if (command == SUBMIT_SM) {
                ask(context, one);
            } else {
                if (command == BIND_TRANSMITTER || command == BIND_TRANSCEIVER) {
                    account = name(pdu);
                }
                one.settled = true;
            }
            drain(context);
            regulate(context.channel());
        }

        private void ask(ChannelHandlerContext context, Held one) {
            byte[] body;
            try {
                SubmitSm submit = (SubmitSm) transcoder.decode(one.pdu.duplicate());
                String id = context.channel().id().asShortText() + "-" + submit.getSequenceNumber();
                Question question = Question.ofPart(submit);
                body = question.body(question.recipients[0], id, account);
            } catch (Exception unreadable) { // the centre says what it thinks of it
                LOG.warn("a submit_sm passes unseen: {}", unreadable.getClass().getSimpleName());
                one.settled = true;
                return;
            }
            gate.ask(body, context.executor(), refuse -> {
                one.settled = true;
                one.refused = refuse;
                drain(context);
                regulate(context.channel());
            });
        }

        /** Send on what is settled, in order. */
        private void drain(ChannelHandlerContext context) {
            for (Held one; (one = held.peek()) != null && one.settled; ) {
                held.remove();
                if (one.refused) {
                    context.write(refusal(one.pdu));
                    one.pdu.release();
                } else {
                    there.write(one.pdu);
                }
            }
            context.flush();
            there.flush();
        }

        private ByteBuf refusal(ByteBuf pdu) {
            int sequence = pdu.getInt(pdu.readerIndex() + 12);
            return Unpooled.buffer(HEAD_BYTES).writeInt(HEAD_BYTES).writeInt(RESPONSE | SUBMIT_SM)
                    .writeInt(code).writeInt(sequence);
        }

        private void regulate(Channel here) {
            here.config().setAutoRead(held.size() < HELD_MAX && there.isWritable());
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext context) {
            there.config().setAutoRead(context.channel().isWritable());
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            held.forEach(one -> one.pdu.release()); // nobody is left to be told of them
            held.clear();
            flushAndClose(there);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            LOG.warn("a session ends: {}", cause.getClass().getSimpleName());
            context.close();
        }
    }

    /** The centre's side: passes everything. */
    private static final class Centre extends ChannelInboundHandlerAdapter {
        private final Channel here;

        Centre(Channel here) {
            this.here = here;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object octets) {
            if (here.isActive()) {
                here.writeAndFlush(octets);
            } else {
                ReferenceCountUtil.release(octets);
            }
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext context) {
            here.pipeline().get(Sender.class).regulate(here);
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            flushAndClose(here);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    private static void flushAndClose(Channel channel) {
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    /** The system_id of a bind. */
    private static String name(ByteBuf pdu) {
        int from = pdu.readerIndex() + HEAD_BYTES;
        int to = pdu.indexOf(from, pdu.writerIndex(), (byte) 0);
        int length = Math.min(NAME_BYTES, to < 0 ? 0 : to - from);
        return pdu.toString(from, length, StandardCharsets.ISO_8859_1);
    }

    private static InetSocketAddress place(String word) {
        int colon = word.lastIndexOf(':');
        return new InetSocketAddress(word.substring(0, colon), Integer.parseInt(word.substring(colon + 1)));
    }

    /**
     * {@code --smsc HOST:PORT [--listen 127.0.0.1:2776] [--gate 127.0.0.1:9080] [--token-file FILE]
     * [--code 0x45] [--timeout-ms 20]}. Says its counters once a minute.
     */
    public static void main(String[] words) throws Exception {
        Map<String, String> given = new HashMap<>(Map.of("--listen", "127.0.0.1:2776",
                "--gate", "127.0.0.1:9080", "--code", "0x45", "--timeout-ms", "20"));
        for (int n = 0; n + 1 < words.length; n += 2) {
            given.put(words[n], words[n + 1]);
        }
        if (words.length % 2 != 0 || !given.containsKey("--smsc")) {
            System.err.println("--smsc HOST:PORT is missing, or a value is");
            System.exit(2);
        }
        String token = given.containsKey("--token-file")
                ? Files.readString(Path.of(given.get("--token-file"))).strip() : "";
        InetSocketAddress place = place(given.get("--gate"));
        GateClient gate = new GateClient(place.getHostString(), place.getPort(), token,
                Long.parseLong(given.get("--timeout-ms")), HELD_MAX);
        SmppProxy proxy = new SmppProxy(place(given.get("--smsc")), gate, Integer.decode(given.get("--code")));
        Channel door = proxy.listen(place(given.get("--listen")));
        System.out.println("listening");
        while (!door.closeFuture().await(60_000)) {
            System.out.printf("asked %d refused %d unanswered %d%n",
                    gate.asked.sum(), gate.refused.sum(), gate.unanswered.sum());
        }
    }
}
