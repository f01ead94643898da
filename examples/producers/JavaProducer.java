/*
 * A producer in Java, with kafka-clients and Avro alone: Confluent's wire format is five bytes in front of the Avro.
 *
 *   mvn -q -f examples/producers/pom.xml dependency:copy-dependencies -DoutputDirectory=jars
 *   java -cp 'examples/producers/jars/*' examples/producers/JavaProducer.java \
 *     127.0.0.1:9092 http://127.0.0.1:8080/registry <tenant id> <organization id> [contact]
 */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class JavaProducer {
  static final String TOPIC = "communication_events";
  /** Topic, then the record's full name. */
  static final String SUBJECT = TOPIC + "-com.workflow.events.ContactPreferenceChanged";

  public static void main(String[] args) throws Exception {
    String brokers = args[0], registry = args[1], tenant = args[2], organization = args[3];
    String contact = args.length > 4 ? args[4] : "u1";

    JsonNode registered = latest(registry);
    Schema schema = new Schema.Parser().parse(registered.get("schema").asText());
    long now = System.currentTimeMillis();
    GenericRecord event = event(schema, now, tenant, organization, contact);
    byte[] value = framed(registered.get("id").asInt(), schema, event);

    // Idempotent, and acknowledged by all replicas: both are the client's defaults.
    Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "client.id", "example-java");
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      byte[] key = (tenant + "|" + contact).getBytes(StandardCharsets.UTF_8);
      var written = producer.send(new ProducerRecord<>(TOPIC, null, now, key, value)).get();
      System.out.printf("{\"eventId\":\"%s\",\"position\":\"%s-%d@%d\"}%n",
          event.get("event_id"), TOPIC, written.partition(), written.offset());
    }
  }

  static JsonNode latest(String registry) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(registry + "/subjects/" + SUBJECT + "/versions/latest")).build();
    var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) throw new IllegalStateException("the registry answers " + answer.body());
    return new ObjectMapper().readTree(answer.body());
  }

  static GenericRecord event(Schema schema, long now, String tenant, String organization, String contact) {
    GenericRecord actor = new GenericRecordBuilder(schema.getField("actor").schema())
        .set("type", "system").set("id", "producer:example-java").build();
    return new GenericRecordBuilder(schema)
        .set("event_id", UUID.randomUUID().toString())
        .set("event_type", "contact_preference_changed")
        .set("event_version", 1)
        .set("timestamp", now)
        .set("tenant_id", tenant)
        .set("organization_id", organization)
        .set("correlation_id", organization)
        .set("causation_id", "")
        .set("source", "example-java")
        .set("actor", actor)
        .set("contact_id", contact)
        .set("channel", "email")
        .set("subscribed", false)
        .set("preference_source", "example")
        .build();
  }

  /** A zero byte, the schema's id, the Avro. */
  static byte[] framed(int schemaId, Schema schema, GenericRecord event) throws Exception {
    var bytes = new ByteArrayOutputStream();
    var frame = new DataOutputStream(bytes);
    frame.writeByte(0);
    frame.writeInt(schemaId);
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(frame, null);
    new GenericDatumWriter<GenericRecord>(schema).write(event, encoder);
    encoder.flush();
    return bytes.toByteArray();
  }
}
