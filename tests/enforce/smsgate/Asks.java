import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import otpguard.smsgate.GateClient;

/**
 * A gateway's end of the gate, alone: asks a question for each number that a line names, all of a
 * line at once, and says `RULED number refuse|pass` as soon as it is told; at the end `GATE asked
 * refused unanswered`. Arguments: the gate's port, the time-out in ms, questions under way.
 */
public final class Asks {
    public static void main(String[] words) throws Exception {
        GateClient gate = new GateClient("127.0.0.1", Integer.parseInt(words[0]), "",
                Long.parseLong(words[1]), Integer.parseInt(words[2]));
        Thread.sleep(500); // it has connected
        say("READY");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            for (String number : line.split(" ")) {
                byte[] body = ("{\"n\":" + number + "}").getBytes(StandardCharsets.UTF_8);
                gate.ask(body, Runnable::run, refuse -> say("RULED " + number + (refuse ? " refuse" : " pass")));
            }
        }
        say("GATE " + gate.asked + " " + gate.refused + " " + gate.unanswered);
        System.exit(0);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
