package otpguard.smsgate;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.embedded.EmbeddedChannel;
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
import io.netty.util.concurrent.DefaultThreadFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
    private final Names names = new Names();
    /** What holds the loop up holds no answer back: the time-out runs on a thread of its own. */
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("otpguard-clock", true));
    private Line line; // the one to ask by; the loop's alone, as the next
    private long triedAtNs = Long.MIN_VALUE;

    /** Questions, and among them those that passed because no answer came in time. */
    public final LongAdder asked = new LongAdder();
    public final LongAdder refused = new LongAdder();
    public final LongAdder unanswered = new LongAdder();

    /** A question, which has one answer: the first of the gate's, the clock's and the connection's end. */
    private final class Asked {
        final long atNs = System.nanoTime();
        private final Executor executor;
        private final Consumer<Boolean> then;
        private final AtomicBoolean done = new AtomicBoolean();

        Asked(Executor executor, Consumer<Boolean> then) {
            this.executor = executor;
            this.then = then;
        }

        void answer(boolean refuse) {
            if (done.compareAndSet(false, true)) {
                if (refuse) {
                    refused.increment();
                }
                tell(refuse);
            }
        }

        void pass() {
            if (done.compareAndSet(false, true)) {
                unanswered.increment();
                tell(false);
            }
        }

        private void tell(boolean refuse) {
            try {
                executor.execute(() -> then.accept(refuse));
            } catch (RejectedExecutionException gone) { // the sender's connection ended with its loop
            }
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
        loop.submit(this::warmUp).syncUninterruptibly();
    }

    /**
     * Ask and answer once without a gate, then connect. Java loads a class where it is first used, and
     * those of HTTP and JSON take longer than a question may: here nobody waits for an answer yet.
     */
    private void warmUp() {
        line = new Line();
        EmbeddedChannel channel = new EmbeddedChannel(line.handlers());
        line.channel = channel;
        Asked one = new Asked(Runnable::run, refuse -> { });
        send(new byte[0], one);
        String answer = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"ruling\":\"pass\"}";
        channel.writeInbound(Unpooled.copiedBuffer(answer, StandardCharsets.US_ASCII));
        clock.schedule(one::pass, 0, TimeUnit.MILLISECONDS); // too late, as most will be
        channel.finishAndReleaseAll(); // as if the gate were being replaced
    }

    /**
     * Ask about one message. {@code then} is called once, by {@code executor}, with true if the
     * message is to be refused.
     */
    public void ask(byte[] question, Executor executor, Consumer<Boolean> then) {
        asked.increment();
        Asked one = new Asked(executor, then);
        try {
            clock.schedule(one::pass, timeoutMs, TimeUnit.MILLISECONDS);
            loop.execute(() -> send(question, one));
        } catch (RejectedExecutionException closed) {
            one.pass();
        }
    }

    private void send(byte[] question, Asked one) {
        if (line != null && line.silent()) {
            line.channel.close();
        }
        if (line == null || !line.channel.isActive() || line.waiting.size() >= waitingMax) {
            one.pass();
            connect();
            return;
        }
        if (one.done.get()) { // the loop was held up, and nobody waits for this answer any more
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
        line.waiting.add(one);
        line.channel.writeAndFlush(request);
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
        Bootstrap bootstrap = new Bootstrap().group(loop).channel(NioSocketChannel.class).resolver(names)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) AGAIN_MS)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel made) {
                        made.pipeline().addLast(next.handlers());
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

        ChannelHandler[] handlers() {
            return new ChannelHandler[] {
                new HttpClientCodec(), new HttpObjectAggregator(BODY_BYTES_MAX), this
            };
        }

        boolean silent() {
            Asked oldest = waiting.peek();
            return oldest != null && oldest.done.get()
                    && System.nanoTime() - oldest.atNs > TimeUnit.MILLISECONDS.toNanos(SILENT_MS);
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            Asked one = waiting.poll();
            if (one == null) { // an answer too many: the next would be taken for another question's
                context.close();
                return;
            }
            served = true;
            one.answer(response.status().code() == 200 && Question.refuses(response.content()));
            if (!HttpUtil.isKeepAlive(response)) { // the gate is being replaced
                context.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            for (Asked one; (one = waiting.poll()) != null; ) {
                one.pass();
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
        names.close();
        clock.shutdown(); // after the time-outs that run
    }
}
