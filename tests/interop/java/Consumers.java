import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Consumers of the Java client: one that reads a whole topic, and members of groups, by name. */
final class Consumers {
  private static final long WITHIN_MS = 20_000;
  private final String bootstrap;
  private final Map<String, KafkaConsumer<byte[], byte[]>> members = new HashMap<>();

  Consumers(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  static Properties properties(String bootstrap, JsonNode config) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    config.properties().forEach((entry) -> properties.put(entry.getKey(), entry.getValue().asText()));
    return properties;
  }

  private KafkaConsumer<byte[], byte[]> consumer(JsonNode config) {
    return new KafkaConsumer<>(properties(bootstrap, config), new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** Every record of a topic, from the beginnings of its partitions to their ends as its isolation sees them. */
  JsonNode consume(JsonNode asked) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(asked.get("config"))) {
      List<TopicPartition> partitions = consumer.partitionsFor(asked.get("topic").asText()).stream()
          .map((one) -> new TopicPartition(one.topic(), one.partition()))
          .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      ArrayNode records = Peer.JSON.createArrayNode();
      long until = System.currentTimeMillis() + WITHIN_MS;
      while (ends.entrySet().stream().anyMatch((end) -> consumer.position(end.getKey()) < end.getValue())) {
        if (System.currentTimeMillis() > until) throw new IllegalStateException("the end is not reached");
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) records.add(seen(record));
      }
      return records;
    }
  }

  /** Returns what it was assigned; it holds that while it is heard, which is in the background. */
  JsonNode join(JsonNode asked) {
    KafkaConsumer<byte[], byte[]> member = consumer(asked.get("config"));
    members.put(asked.get("name").asText(), member);
    member.subscribe(List.of(asked.get("topic").asText()));
    long until = System.currentTimeMillis() + WITHIN_MS;
    while (member.assignment().isEmpty()) {
      if (System.currentTimeMillis() > until) throw new IllegalStateException("nothing was assigned");
      member.poll(Duration.ofMillis(50));
    }
    ArrayNode assigned = Peer.JSON.createArrayNode();
    member.assignment().stream().map(TopicPartition::partition).sorted().forEach(assigned::add);
    return assigned;
  }

  /** Commits offsets with their metadata: [[partition, offset, metadata], ...]. */
  JsonNode commit(JsonNode asked) {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    for (JsonNode one : asked.get("offsets"))
      offsets.put(new TopicPartition(asked.get("topic").asText(), one.get(0).asInt()),
          new OffsetAndMetadata(one.get(1).asLong(), one.get(2).asText()));
    members.get(asked.get("name").asText()).commitSync(offsets);
    return null;
  }

  JsonNode leave(JsonNode asked) {
    members.remove(asked.get("name").asText()).close();
    return null;
  }

  private static ObjectNode seen(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode seen = Peer.JSON.createObjectNode()
        .put("partition", record.partition())
        .put("offset", record.offset())
        .put("timestamp", record.timestamp())
        .put("timestampType", record.timestampType().name)
        .put("key", record.key())
        .put("value", record.value());
    ArrayNode headers = seen.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
    return seen;
  }
}
