import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * A Java program that uses Kafka as any other does, told what to do by lines of JSON: one question a line, one answer a line,
 * in turn. Bytes travel as base64.
 *
 * <p>java -cp ... Peer BOOTSTRAP
 */
public final class Peer {
  static final ObjectMapper JSON = new ObjectMapper();

  private interface Verb {
    JsonNode answer(JsonNode asked) throws Exception;
  }

  private Peer() {}

  public static void main(String[] arguments) throws Exception {
    // What a library or a tool prints must not get between the answers.
    PrintStream answers = System.out;
    System.setOut(System.err);
    Map<String, Verb> verbs = verbs(arguments[0]);
    BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        JsonNode asked = JSON.readTree(line);
        answer.set("ok", verbs.get(asked.get("do").asText()).answer(asked));
      } catch (Throwable error) {
        answer.put("error", error.toString());
      }
      answers.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
      answers.flush();
    }
    System.exit(0);
  }

  private static Map<String, Verb> verbs(String bootstrap) {
    Producers producers = new Producers(bootstrap);
    Consumers consumers = new Consumers(bootstrap);
    Map<String, Verb> verbs = new HashMap<>();
    verbs.put("open", producers::open);
    verbs.put("begin", producers::begin);
    verbs.put("send", producers::send);
    verbs.put("end", producers::end);
    verbs.put("close", producers::close);
    verbs.put("consume", consumers::consume);
    verbs.put("join", consumers::join);
    verbs.put("commit", consumers::commit);
    verbs.put("leave", consumers::leave);
    verbs.put("avro", AvroValues::readAndWrite);
    verbs.put("tool", Tools::run);
    verbs.put("partitions", Peer::partitions);
    return verbs;
  }

  /** Hash and partition of each key, by Kafka's own code. */
  private static JsonNode partitions(JsonNode asked) throws Exception {
    ArrayNode rows = JSON.createArrayNode();
    for (JsonNode one : asked.get("keys")) {
      byte[] key = one.binaryValue();
      ArrayNode row = rows.addArray().add(Utils.murmur2(key));
      for (JsonNode count : asked.get("counts")) row.add(BuiltInPartitioner.partitionForKey(key, count.asInt()));
    }
    return rows;
  }
}
