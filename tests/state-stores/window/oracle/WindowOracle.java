import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/**
 * Plays operations on Kafka Streams' own window stores, each as one record through a TopologyTestDriver, and says what they
 * answered. Reads scripts as JSON from one file, writes answers to another: WindowOracle scripts.json answers.json state-dir
 */
public final class WindowOracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(final String[] args) throws Exception {
        final ArrayNode answers = JSON.createArrayNode();
        int number = 0;
        for (final JsonNode script : JSON.readTree(new File(args[0]))) {
            final ObjectNode answer = answers.addObject();
            answer.set("persistent", play(script, true, new File(args[2], "p" + number)));
            answer.set("inMemory", play(script, false, new File(args[2], "m" + number++)));
        }
        JSON.writeValue(new File(args[1]), answers);
    }

    private static ObjectNode play(final JsonNode script, final boolean persistent, final File directory) {
        final Duration retention = Duration.ofMillis(script.get("retentionMs").asLong());
        final Duration size = Duration.ofMillis(script.get("windowSizeMs").asLong());
        final boolean duplicates = script.get("retainDuplicates").asBoolean();
        final WindowBytesStoreSupplier supplier = persistent
            ? Stores.persistentWindowStore("w", retention, size, duplicates)
            : Stores.inMemoryWindowStore("w", retention, size, duplicates);
        final ArrayNode answers = JSON.createArrayNode();
        final Topology topology = new Topology();
        topology.addSource("in", new ByteArrayDeserializer(), new ByteArrayDeserializer(), "in");
        topology.addProcessor("play", () -> new Player(answers), "in");
        topology.addStateStore(
            Stores.windowStoreBuilder(supplier, Serdes.ByteArray(), Serdes.ByteArray()).withLoggingEnabled(Map.of()).withCachingDisabled(),
            "play");
        final Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "oracle");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:9092");
        config.put(StreamsConfig.STATE_DIR_CONFIG, directory.getPath());
        final ObjectNode result = JSON.createObjectNode();
        try (TopologyTestDriver driver = new TopologyTestDriver(topology, config)) {
            final var in = driver.createInputTopic("in", new ByteArraySerializer(), new ByteArraySerializer());
            for (final JsonNode op : script.get("ops")) in.pipeInput(new byte[0], op.toString().getBytes(StandardCharsets.UTF_8), 0L);
            result.set("answers", answers);
            result.put("dropped", dropped(driver));
            result.set("changelog", changelog(driver));
        }
        return result;
    }

    private static long dropped(final TopologyTestDriver driver) {
        double total = 0;
        for (final var metric : driver.metrics().values())
            if (metric.metricName().name().equals("dropped-records-total")) total += (double) metric.metricValue();
        return (long) total;
    }

    /** The last value of each key, in the order of their first writing. */
    private static ArrayNode changelog(final TopologyTestDriver driver) {
        final var topic = driver.createOutputTopic("oracle-w-changelog", new ByteArrayDeserializer(), new ByteArrayDeserializer());
        final Map<String, byte[]> last = new java.util.LinkedHashMap<>();
        while (!topic.isEmpty()) {
            final KeyValue<byte[], byte[]> record = topic.readKeyValue();
            last.put(HexFormat.of().formatHex(record.key), record.value);
        }
        final ArrayNode rows = JSON.createArrayNode();
        last.forEach((key, value) -> rows.addArray().add(key).add(text(value)));
        return rows;
    }

    private static byte[] bytes(final JsonNode text) {
        return text.isNull() ? null : text.asText().getBytes(StandardCharsets.ISO_8859_1);
    }

    private static String text(final byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static final class Player implements Processor<byte[], byte[], Void, Void> {
        private final ArrayNode answers;
        private WindowStore<byte[], byte[]> store;

        private Player(final ArrayNode answers) {
            this.answers = answers;
        }

        @Override
        public void init(final ProcessorContext<Void, Void> context) {
            store = context.getStateStore("w");
        }

        @Override
        public void process(final Record<byte[], byte[]> record) {
            try {
                answer(JSON.readTree(record.value()));
            } catch (final java.io.IOException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private void answer(final JsonNode op) {
            switch (op.get(0).asText()) {
                case "put" -> {
                    store.put(bytes(op.get(1)), bytes(op.get(3)), op.get(2).asLong());
                    answers.addNull();
                }
                case "get" -> answers.add(text(store.fetch(bytes(op.get(1)), op.get(2).asLong())));
                case "fetch" -> fetched(op);
                case "fetchKeys" -> rows(op.get(5).asBoolean()
                    ? store.backwardFetch(bytes(op.get(1)), bytes(op.get(2)), op.get(3).asLong(), op.get(4).asLong())
                    : store.fetch(bytes(op.get(1)), bytes(op.get(2)), op.get(3).asLong(), op.get(4).asLong()));
                case "fetchAll" -> rows(op.get(3).asBoolean()
                    ? store.backwardFetchAll(op.get(1).asLong(), op.get(2).asLong())
                    : store.fetchAll(op.get(1).asLong(), op.get(2).asLong()));
                case "all" -> rows(op.get(1).asBoolean() ? store.backwardAll() : store.all());
                default -> throw new IllegalArgumentException(op.toString());
            }
        }

        private void fetched(final JsonNode op) {
            final byte[] key = bytes(op.get(1));
            final ArrayNode found = answers.addArray();
            try (WindowStoreIterator<byte[]> rows = op.get(4).asBoolean()
                ? store.backwardFetch(key, op.get(2).asLong(), op.get(3).asLong())
                : store.fetch(key, op.get(2).asLong(), op.get(3).asLong())) {
                while (rows.hasNext()) {
                    final KeyValue<Long, byte[]> row = rows.next();
                    found.addArray().add(text(key)).add(row.key).add(text(row.value));
                }
            }
        }

        private void rows(final KeyValueIterator<Windowed<byte[]>, byte[]> rows) {
            final ArrayNode found = answers.addArray();
            try (rows) {
                while (rows.hasNext()) {
                    final KeyValue<Windowed<byte[]>, byte[]> row = rows.next();
                    found.addArray().add(text(row.key.key())).add(row.key.window().start()).add(text(row.value));
                }
            }
        }
    }
}
