import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.message.FindCoordinatorRequestData;
import org.apache.kafka.common.message.FindCoordinatorResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Plays the conformance scripts on a running broker and writes what it answered.
 *
 * <p>java -cp ... Recorder PORT LOG_DIRECTORY SCRIPTS.json RECORDING.json
 *
 * <p>Most of the time is waiting (sessions, transaction timeouts), so many scripts run at once; each has topics, groups and
 * transactional ids of its own.
 */
public final class Recorder {
  private static final int THREADS = 24;
  private static final int WITHIN_MINUTES = 6;

  private Recorder() {}

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    Path data = Path.of(arguments[1]);
    JsonNode suite = Play.JSON.readTree(new File(arguments[2]));
    awaitCoordinators(port);
    Map<String, JsonNode> answers = new ConcurrentHashMap<>();
    List<String> failures = java.util.Collections.synchronizedList(new ArrayList<>());
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    int index = 0;
    for (JsonNode script : suite) {
      String prefix = "c" + ++index + ".";
      threads.submit(() -> {
        String name = script.get("name").asText();
        try {
          answers.put(name, new Play(port, data, prefix).play(script.get("steps")));
        } catch (Throwable error) {
          failures.add(name + ": " + error);
        }
      });
    }
    threads.shutdown();
    if (!threads.awaitTermination(WITHIN_MINUTES, TimeUnit.MINUTES)) failures.add("not done in time");
    failures.forEach(System.err::println);
    ObjectNode recording = Play.JSON.createObjectNode().put("kafka", AppInfoParser.getVersion());
    ObjectNode scripts = recording.putObject("scripts");
    for (JsonNode script : suite) {
      String name = script.get("name").asText();
      if (answers.containsKey(name)) scripts.set(name, answers.get(name));
    }
    Play.JSON.writeValue(new File(arguments[3]), recording);
    System.exit(failures.isEmpty() ? 0 : 1);
  }

  /** The first question makes the internal topics; the scripts begin when both coordinators answer. */
  private static void awaitCoordinators(int port) throws Exception {
    try (Wire wire = new Wire(port)) {
      for (byte type = 0; type <= 1; type++)
        for (int i = 0; ; i++) {
          FindCoordinatorResponseData answer = wire.call(ApiKeys.FIND_COORDINATOR, 4,
              new FindCoordinatorRequestData().setKeyType(type).setCoordinatorKeys(List.of("any")));
          if (answer.coordinators().get(0).errorCode() == 0) break;
          if (i > 300) throw new IllegalStateException("no coordinator");
          Thread.sleep(100);
        }
    }
  }
}
