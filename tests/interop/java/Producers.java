import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Producers of the Java client, by name. */
final class Producers {
  private final String bootstrap;
  private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();

  Producers(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  JsonNode open(JsonNode asked) {
    Properties config = Consumers.properties(bootstrap, asked.get("config"));
    KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    producers.put(asked.get("name").asText(), producer);
    if (config.containsKey("transactional.id")) producer.initTransactions();
    return null;
  }

  JsonNode begin(JsonNode asked) {
    of(asked).beginTransaction();
    return null;
  }

  /** Where each record went. All are on their way before the first is waited for. */
  JsonNode send(JsonNode asked) throws Exception {
    KafkaProducer<byte[], byte[]> producer = of(asked);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : asked.get("records")) sent.add(producer.send(recordOf(asked.get("topic").asText(), record)));
    producer.flush();
    ArrayNode places = Peer.JSON.createArrayNode();
    for (Future<RecordMetadata> one : sent) places.addArray().add(one.get().partition()).add(one.get().offset());
    return places;
  }

  JsonNode end(JsonNode asked) {
    if (asked.get("outcome").asText().equals("commit")) of(asked).commitTransaction();
    else of(asked).abortTransaction();
    return null;
  }

  JsonNode close(JsonNode asked) {
    of(asked).close();
    producers.remove(asked.get("name").asText());
    return null;
  }

  private KafkaProducer<byte[], byte[]> of(JsonNode asked) {
    return producers.get(asked.get("name").asText());
  }

  private static ProducerRecord<byte[], byte[]> recordOf(String topic, JsonNode record) throws Exception {
    Integer partition = record.hasNonNull("partition") ? record.get("partition").asInt() : null;
    Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
    ProducerRecord<byte[], byte[]> made =
        new ProducerRecord<>(topic, partition, timestamp, bytes(record.get("key")), bytes(record.get("value")));
    for (JsonNode header : record.path("headers")) made.headers().add(header.get(0).asText(), bytes(header.get(1)));
    return made;
  }

  private static byte[] bytes(JsonNode node) throws Exception {
    return node == null || node.isNull() ? null : node.binaryValue();
  }
}
