import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/** Codes per recipient in 60 s tumbling windows of event time; usage: BOOTSTRAP TOPIC GROUP EVENTS memory|rocksdb CYCLE_S. */
public final class CountCodes {
    /** The two fields that count; the third, the recipient, is the record's key. */
    record Event(long timeMs, boolean otp) {}

    static final JsonFactory JSON = new JsonFactory();

    static Event decode(byte[] value) {
        long timeMs = 0;
        boolean otp = false;
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals("event_time_ms")) {
                    timeMs = parser.getLongValue();
                } else if (name.equals("category")) {
                    otp = parser.getText().equals("otp");
                } else {
                    parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Event(timeMs, otp);
    }

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        long total = Long.parseLong(args[3]);
        boolean memory = args[4].equals("memory");

        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("kafka-streams").toString());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000 * Integer.parseInt(args[5]));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 10_000);
        settings.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 4 << 20);
        settings.put(StreamsConfig.producerPrefix("linger.ms"), 100);
        settings.put(StreamsConfig.producerPrefix("batch.size"), 256 << 10);

        LongAdder events = new LongAdder();
        LongAdder codes = new LongAdder();
        Deserializer<Event> deserializer = (name, value) -> decode(value);
        Serde<Event> serde = Serdes.serdeFrom((name, event) -> {
            throw new UnsupportedOperationException();
        }, deserializer);
        Duration window = Duration.ofSeconds(60);
        Duration grace = Duration.ofMinutes(5);
        Duration kept = window.plus(grace);
        WindowBytesStoreSupplier store = memory
                ? Stores.inMemoryWindowStore("counts", kept, window, false)
                : Stores.persistentTimestampedWindowStore("counts", kept, window, false);

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(topic, Consumed.with(Serdes.String(), serde)
                        .withTimestampExtractor((record, previous) -> ((Event) record.value()).timeMs()))
                .filter((recipient, event) -> {
                    events.increment();
                    if (event.otp()) {
                        codes.increment();
                    }
                    return event.otp();
                })
                .groupByKey(Grouped.with(Serdes.String(), serde))
                .windowedBy(TimeWindows.ofSizeAndGrace(window, grace))
                .count(Materialized.<String, Long>as(store)
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long())
                        .withCachingEnabled());

        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        while (events.sum() < total) {
            Thread.sleep(100);
            System.out.println("{\"events\": " + events.sum() + "}");
        }
        streams.close();
        System.out.println("{\"events\": " + events.sum() + ", \"codes\": " + codes.sum()
                + ", \"changelog\": \"" + args[2] + "-counts-changelog\", \"done\": true}");
    }
}
