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
import java.util.concurrent.RejectedExecutionException;
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
    private Line line; // the one to ask by; the loop's alone, as the next
    private long triedAtNs = Long.MIN_VALUE;

    /** Questions, and among them those that passed because no answer came in time. */
    public final LongAdder asked = new LongAdder();
    public final LongAdder refused = new LongAdder();
    public final LongAdder unanswered = new LongAdder();

    private static final class Asked {
        final Line line;
        final Consumer<Boolean> then;
        final long atNs = System.nanoTime();
        boolean done;

        Asked(Line line, Consumer<Boolean> then) {
            this.line = line;
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
        Consumer<Boolean> told = refuse -> {
            try {
                executor.execute(() -> then.accept(refuse));
            } catch (RejectedExecutionException gone) { // the sender's connection ended with its loop
            }
        };
        try {
            loop.execute(() -> send(question, told));
        } catch (RuntimeException ended) { // the client is closed
            pass(told);
        }
    }

    private void send(byte[] question, Consumer<Boolean> told) {
        if (line == null || !line.channel.isActive() || line.waiting.size() >= waitingMax) {
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
        Asked one = new Asked(line, told);
        line.waiting.add(one);
        line.channel.writeAndFlush(request);
        loop.schedule(() -> late(one), timeoutMs, TimeUnit.MILLISECONDS);
    }

    private void late(Asked one) {
        if (one.done) {
            return;
        }
        one.done = true;
        pass(one.then);
        Asked oldest = one.line.waiting.peek();
        if (oldest != null && System.nanoTime() - oldest.atNs > TimeUnit.MILLISECONDS.toNanos(SILENT_MS)) {
            one.line.channel.close();
        }
    }

    private void pass(Consumer<Boolean> told) {
        unanswered.increment();
        told.accept(false);
    }

    private void connect() {
        long now = System.nanoTime();
        boolean soon = triedAtNs != Long.MIN_VALUE && now - triedAtNs < TimeUnit.MILLISECONDS.toNanos(AGAIN_MS);
        if (soon || (line != null && line.channel.isOpen())) {
            return;
        }
        triedAtNs = now;
        Line next = new Line();
        line = next;
        Bootstrap bootstrap = new Bootstrap().group(loop).channel(NioSocketChannel.class)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) AGAIN_MS)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel made) {
                        made.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(BODY_BYTES_MAX),
                                next);
                    }
                });
        next.channel = bootstrap.connect(host, port).addListener(done -> {
            if (!done.isSuccess()) {
                gone(next, AGAIN_MS);
            }
        }).channel();
    }

    private void gone(Line one, long againMs) {
        if (line == one) { // or the next is on its way
            line = null;
            loop.schedule(this::connect, againMs, TimeUnit.MILLISECONDS);
        }
    }

    /**
     * A connection, and the questions that were asked by it: an answer belongs to the oldest of these,
     * never to one of another connection.
     */
    private final class Line extends SimpleChannelInboundHandler<FullHttpResponse> {
        final ArrayDeque<Asked> waiting = new ArrayDeque<>();
        Channel channel;
        private boolean served;

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            Asked one = waiting.poll();
            if (one == null) { // an answer too many: the next would be taken for another question's
                context.close();
                return;
            }
            served = true;
            if (!one.done) {
                one.done = true;
                boolean refuse = response.status().code() == 200 && Question.refuses(response.content());
                if (refuse) {
                    refused.increment();
                }
                one.then.accept(refuse);
            }
            if (!HttpUtil.isKeepAlive(response)) { // the gate is being replaced
                context.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            for (Asked one; (one = waiting.poll()) != null; ) {
                if (!one.done) {
                    one.done = true;
                    pass(one.then);
                }
            }
            if (served) { // at once; but whoever only hangs up is not asked without a pause
                triedAtNs = Long.MIN_VALUE;
            }
            gone(this, served ? 0 : AGAIN_MS);
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
            if (line != null) {
                line.channel.close();
            }
        });
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
