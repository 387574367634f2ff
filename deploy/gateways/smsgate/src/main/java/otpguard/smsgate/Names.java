package otpguard.smsgate;

import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.DefaultNameResolver;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Looks names up on a thread of its own. Java waits for the name server, for many seconds if that is
 * silent, and Netty's own resolver has the event loop wait.
 */
final class Names extends AddressResolverGroup<InetSocketAddress> {
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(new DefaultThreadFactory("otpguard-names", true));

    @Override
    protected AddressResolver<InetSocketAddress> newResolver(EventExecutor loop) {
        return new DefaultNameResolver(loop) {
            @Override
            protected void doResolve(String name, Promise<InetAddress> found) {
                thread.execute(() -> {
                    try {
                        super.doResolve(name, found);
                    } catch (Exception failed) {
                        found.tryFailure(failed);
                    }
                });
            }
        }.asAddressResolver();
    }

    @Override
    public void close() {
        super.close();
        thread.shutdown();
    }
}
