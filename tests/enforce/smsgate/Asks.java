import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import otpguard.smsgate.GateClient;

/**
 * A gateway's end of the gate, alone: asks a question for each number that a line names, all of a
 * line at once, and says `RULED number refuse|pass` as soon as it is told; at the end `GATE asked
 * refused unanswered`. Whoever is told of a number with a `!` holds the thread that tells him until
 * a line `on`. Arguments: the gate's host and port, the time-out in ms, questions under way.
 */
public final class Asks {
    public static void main(String[] words) throws Exception {
        GateClient gate = new GateClient(words[0], Integer.parseInt(words[1]), "",
                Long.parseLong(words[2]), Integer.parseInt(words[3]));
        CountDownLatch on = new CountDownLatch(1);
        Thread.sleep(500); // it has connected
        say("READY");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            if (line.equals("on")) {
                on.countDown();
                continue;
            }
            for (String word : line.split(" ")) {
                String number = word.replace("!", "");
                byte[] body = ("{\"n\":" + number + "}").getBytes(StandardCharsets.UTF_8);
                gate.ask(body, Runnable::run, refuse -> {
                    say("RULED " + number + (refuse ? " refuse" : " pass"));
                    if (word.endsWith("!")) {
                        await(on);
                    }
                });
            }
        }
        say("GATE " + gate.asked + " " + gate.refused + " " + gate.unanswered);
        System.exit(0);
    }

    private static void await(CountDownLatch on) {
        try {
            on.await();
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
