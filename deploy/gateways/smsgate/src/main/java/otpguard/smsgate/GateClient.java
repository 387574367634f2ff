package otpguard.smsgate;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * One connection to the gate, on an event loop of its own. Questions are pipelined; each has an
 * answer within the time-out, and that is "pass" if there is no other: a gate that is away, slow or
 * wrong holds no message back. Safe for use by every connection of a gateway at once.
 */
public final class GateClient implements AutoCloseable {
    private static final int BODY_BYTES_MAX = 65_536;
    /** A connection whose oldest question is unanswered for so long is given up. */
    private static final long SILENT_MS = 1_000;
    /** Between two tries to connect. */
    private static final long AGAIN_MS = 500;

    private final String host;
    private final int port;
    private final String token;
    private final long timeoutMs;
    private final int waitingMax;
    private final NioEventLoopGroup group = new NioEventLoopGroup(1);
    private final EventLoop loop = group.next();
    private final ArrayDeque<Asked> waiting = new ArrayDeque<>();
    private Channel channel; // the loop's alone, as the next
    private long triedAtNs = Long.MIN_VALUE;

    /** Questions, and among them those that passed because no answer came in time. */
    public final LongAdder asked = new LongAdder();
    public final LongAdder refused = new LongAdder();
    public final LongAdder unanswered = new LongAdder();

    private static final class Asked {
        final Consumer<Boolean> then;
        final long atNs = System.nanoTime();
        boolean done;

        Asked(Consumer<Boolean> then) {
            this.then = then;
        }
    }

    /**
     * @param token empty if the gate asks for none
     * @param timeoutMs for one answer; 20 unless there is a reason
     * @param waitingMax questions under way; what comes beyond them passes unasked
     */
    public GateClient(String host, int port, String token, long timeoutMs, int waitingMax) {
        this.host = host;
        this.port = port;
        this.token = token;
        this.timeoutMs = timeoutMs;
        this.waitingMax = waitingMax;
        loop.execute(this::connect);
    }

    /**
     * Ask about one message. {@code then} is called once, by {@code executor}, with true if the
     * message is to be refused.
     */
    public void ask(byte[] question, Executor executor, Consumer<Boolean> then) {
        asked.increment();
        Consumer<Boolean> told = refuse -> executor.execute(() -> then.accept(refuse));
        try {
            loop.execute(() -> send(question, told));
        } catch (RuntimeException ended) { // the client is closed
            pass(told);
        }
    }

    private void send(byte[] question, Consumer<Boolean> told) {
        if (channel == null || !channel.isActive() || waiting.size() >= waitingMax) {
            pass(told);
            connect();
            return;
        }
        DefaultFullHttpRequest request = new DefaultFullHttpRequest(
                HttpVersion.HTTP_1_1, HttpMethod.POST, "/v1/submit", Unpooled.wrappedBuffer(question));
        request.headers().set(HttpHeaderNames.HOST, "gate")
                .set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON);
        HttpUtil.setContentLength(request, question.length);
        if (!token.isEmpty()) {
            request.headers().set(HttpHeaderNames.AUTHORIZATION, "Bearer " + token);
        }
        Asked one = new Asked(told);
        waiting.add(one);
        channel.writeAndFlush(request);
        loop.schedule(() -> late(one), timeoutMs, TimeUnit.MILLISECONDS);
    }

    private void late(Asked one) {
        if (one.done) {
            return;
        }
        one.done = true;
        pass(one.then);
        Asked oldest = waiting.peek();
        if (oldest != null && System.nanoTime() - oldest.atNs > TimeUnit.MILLISECONDS.toNanos(SILENT_MS)) {
            channel.close();
        }
    }

    private void answered(boolean refuse) {
        Asked one = waiting.poll();
        if (one != null && !one.done) {
            one.done = true;
            if (refuse) {
                refused.increment();
            }
            one.then.accept(refuse);
        }
    }

    private void pass(Consumer<Boolean> told) {
        unanswered.increment();
        told.accept(false);
    }

    private void lost() {
        for (Asked one; (one = waiting.poll()) != null; ) {
            if (!one.done) {
                one.done = true;
                pass(one.then);
            }
        }
        channel = null;
        connect();
    }

    private void connect() {
        long now = System.nanoTime();
        boolean soon = triedAtNs != Long.MIN_VALUE && now - triedAtNs < TimeUnit.MILLISECONDS.toNanos(AGAIN_MS);
        if (soon || (channel != null && channel.isOpen())) {
            return;
        }
        triedAtNs = now;
        Bootstrap bootstrap = new Bootstrap().group(loop).channel(NioSocketChannel.class)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) AGAIN_MS)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel made) {
                        made.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(BODY_BYTES_MAX),
                                new Answers());
                    }
                });
        channel = bootstrap.connect(host, port).addListener(done -> {
            if (!done.isSuccess()) {
                channel = null;
                loop.schedule(this::connect, AGAIN_MS, TimeUnit.MILLISECONDS);
            }
        }).channel();
    }

    private final class Answers extends SimpleChannelInboundHandler<FullHttpResponse> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            boolean usable = response.status().code() == 200;
            answered(usable && Question.refuses(response.content()));
            if (!HttpUtil.isKeepAlive(response)) { // the gate is being replaced
                context.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            triedAtNs = Long.MIN_VALUE;
            lost();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    /** Let everything that waits pass, and end. */
    @Override
    public void close() {
        loop.execute(() -> {
            if (channel != null) {
                channel.close();
            }
        });
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
