import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/** Codes per recipient in 60 s tumbling windows of event time; usage: BOOTSTRAP TOPIC GROUP EVENTS CYCLE_S [live]. */
public final class CountCodes {
    static final LongAdder EVENTS = new LongAdder();
    static final LongAdder CODES = new LongAdder();
    static final LongAdder SUM = new LongAdder();

    /** Bytes to (recipient, event time, is a code). */
    static final class Decode extends AbstractDeserializationSchema<Tuple3<Long, Long, Boolean>> {
        private static final JsonFactory JSON = new JsonFactory();

        Decode() {
            super(TypeInformation.of(new TypeHint<Tuple3<Long, Long, Boolean>>() {}));
        }

        @Override
        public Tuple3<Long, Long, Boolean> deserialize(byte[] value) throws IOException {
            long recipient = 0;
            long timeMs = 0;
            boolean otp = false;
            try (JsonParser parser = JSON.createParser(value)) {
                parser.nextToken();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    switch (name) {
                        case "recipient" -> recipient = Long.parseLong(parser.getText());
                        case "event_time_ms" -> timeMs = parser.getLongValue();
                        case "category" -> otp = parser.getText().equals("otp");
                        default -> parser.skipChildren();
                    }
                }
            }
            EVENTS.increment();
            if (otp) {
                CODES.increment();
            }
            return Tuple3.of(recipient, timeMs, otp);
        }
    }

    static final class Count implements AggregateFunction<Tuple3<Long, Long, Boolean>, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(Tuple3<Long, Long, Boolean> event, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long a, Long b) {
            return a + b;
        }
    }

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        settings.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        settings.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(Long.parseLong(args[4])));
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Files.createTempDirectory("flink").toUri().toString());
        settings.set(PipelineOptions.OBJECT_REUSE, true);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, settings);

        KafkaSourceBuilder<Tuple3<Long, Long, Boolean>> source = KafkaSource.<Tuple3<Long, Long, Boolean>>builder()
                .setBootstrapServers(args[0])
                .setTopics(args[1])
                .setGroupId(args[2])
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setProperty("max.poll.records", "10000")
                .setProperty("max.partition.fetch.bytes", String.valueOf(4 << 20))
                .setValueOnlyDeserializer(new Decode());
        if (args.length < 6) { // live it goes on until it is stopped
            source.setBounded(OffsetsInitializer.latest());
        }
        env.fromSource(source.build(), WatermarkStrategy
                        .<Tuple3<Long, Long, Boolean>>forBoundedOutOfOrderness(Duration.ofMinutes(5))
                        .withTimestampAssigner((event, recordMs) -> event.f1), "events")
                .filter(event -> event.f2)
                .keyBy(event -> event.f0, Types.LONG)
                .window(TumblingEventTimeWindows.of(Duration.ofSeconds(60)))
                .aggregate(new Count())
                .map(count -> {
                    SUM.add(count);
                    return count;
                }).returns(Types.LONG)
                .sinkTo(new DiscardingSink<>());

        Thread reporter = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(100);
                    System.out.println("{\"events\": " + EVENTS.sum() + "}");
                }
            } catch (InterruptedException ended) {
                // the job is done
            }
        });
        reporter.setDaemon(true);
        reporter.start();
        env.execute("count codes");
        reporter.interrupt();
        reporter.join();
        System.out.println("{\"events\": " + EVENTS.sum() + ", \"codes\": " + CODES.sum()
                + ", \"sum\": " + SUM.sum() + ", \"done\": true}");
        System.exit(0);
    }
}
