import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.protocol.Errors;

/** Plays one script: a request for each step, its answer in the normal form. `steps.ts` says what a step means. */
final class Play {
  static final ObjectMapper JSON = new ObjectMapper();
  /** How long a started request is given to reach the broker before the next step. */
  private static final int REACH_MS = 300;
  private static final Set<String> COORDINATOR_MOVES =
      Set.of("NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS");

  /** A producer as a script knows it. */
  static final class Producer {
    String transactionalId;
    long id;
    short epoch;
    final Map<String, Integer> sequences = new HashMap<>();
  }

  /** A member as a script knows it. */
  static final class Member {
    String group;
    String memberId = "";
    String instanceId;
    String protocol;
    int generation = -1;
  }

  final int port;
  /** The broker's log directory. */
  final Path data;
  final String prefix;
  final Names names = new Names();
  final Map<String, Producer> producers = new HashMap<>();
  final Map<String, Member> members = new HashMap<>();
  private final Map<String, CompletableFuture<JsonNode>> started = new HashMap<>();
  private final List<Wire> wires = new ArrayList<>();
  private final Wire wire;
  private final LogRequests log;
  private final GroupRequests groups;

  Play(int port, Path data, String prefix) throws Exception {
    this.port = port;
    this.data = data;
    this.prefix = prefix;
    this.wire = newWire();
    this.log = new LogRequests(this);
    this.groups = new GroupRequests(this);
  }

  ArrayNode play(JsonNode steps) throws Exception {
    ArrayNode answers = JSON.createArrayNode();
    try {
      for (JsonNode step : steps) answers.add(answer(step));
      names.resolve(answers);
      return answers;
    } finally {
      for (Wire one : wires) one.close();
    }
  }

  private JsonNode answer(JsonNode step) throws Exception {
    String what = step.get("do").asText();
    switch (what) {
      case "wait":
        Thread.sleep(step.get("ms").asLong());
        return JSON.nullNode();
      case "await":
        return started.get(step.get("name").asText()).get(60, TimeUnit.SECONDS);
      case "pending":
        return JSON.getNodeFactory().booleanNode(!started.get(step.get("name").asText()).isDone());
      default:
    }
    if (!step.has("start")) return perform(wire, step);
    String as = step.path("as").asText();
    boolean isNew = !members.containsKey(as) || members.get(as).memberId.isEmpty();
    JsonNode group = JSON.createObjectNode().put("group", step.path("group").asText());
    Wire own = newWire();
    CompletableFuture<JsonNode> result = new CompletableFuture<>();
    started.put(step.get("start").asText(), result);
    Thread thread = new Thread(() -> {
      try {
        result.complete(perform(own, step));
      } catch (Throwable error) {
        result.completeExceptionally(error);
      }
    });
    thread.setDaemon(true);
    JsonNode before = what.equals("join") ? groups.describe(wire, group) : null;
    thread.start();
    Thread.sleep(REACH_MS);
    if (before != null) awaitJoining(result, group, before, isNew);
    return JSON.nullNode();
  }

  /** Until a join that waits is seen to wait: on a busy machine its request may take longer than that. */
  private void awaitJoining(CompletableFuture<JsonNode> result, JsonNode group, JsonNode before, boolean isNew) throws Exception {
    long until = System.currentTimeMillis() + 10_000;
    while (!result.isDone() && System.currentTimeMillis() < until) {
      JsonNode now = groups.describe(wire, group);
      boolean counted = !isNew || now.get("members").size() > before.get("members").size();
      if (counted && now.get("state").asText().equals("PreparingRebalance")) return;
      Thread.sleep(20);
    }
  }

  /** One request; again while the coordinator says only that it is not there yet, or busy, as every client does. */
  private JsonNode perform(Wire on, JsonNode step) throws Exception {
    Set<String> again = new HashSet<>(COORDINATOR_MOVES);
    String what = step.get("do").asText();
    if (!step.path("once").asBoolean() && (what.equals("initProducer") || what.equals("endTxn") || what.equals("txnOffsets")))
      again.add("CONCURRENT_TRANSACTIONS");
    long until = System.currentTimeMillis() + 20_000;
    for (;;) {
      JsonNode answer = request(on, what, step);
      if (!again.contains(answer.path("error").asText()) || System.currentTimeMillis() > until) return answer;
      Thread.sleep(20);
    }
  }

  private JsonNode request(Wire on, String what, JsonNode step) throws Exception {
    return switch (what) {
      case "createTopic" -> log.createTopic(on, step);
      case "metadata" -> log.metadata(on, step);
      case "produce" -> log.produce(on, step);
      case "fetch" -> log.fetch(on, step);
      case "consume" -> log.consume(step);
      case "listOffsets" -> log.listOffsets(on, step);
      case "deleteRecords" -> log.deleteRecords(on, step);
      case "compact" -> log.compact(on, step);
      case "initProducer" -> log.initProducer(on, step);
      case "endTxn" -> log.endTxn(on, step);
      case "txnOffsets" -> groups.txnOffsets(on, step);
      case "join" -> groups.join(on, step);
      case "sync" -> groups.sync(on, step);
      case "heartbeat" -> groups.heartbeat(on, step);
      case "leave" -> groups.leave(on, step);
      case "commit" -> groups.commit(on, step);
      case "committed" -> groups.committed(on, step);
      case "describe" -> groups.describe(on, step);
      default -> throw new IllegalArgumentException("no step is called " + what);
    };
  }

  private Wire newWire() throws Exception {
    Wire made = new Wire(port);
    wires.add(made);
    return made;
  }

  /** Topics, groups and transactional ids of a script are its own; no name is no name. */
  String own(String name) {
    return name.isEmpty() ? name : prefix + name;
  }

  static JsonNode done(short error) {
    ObjectNode answer = JSON.createObjectNode();
    if (error != 0) answer.put("error", Errors.forCode(error).name());
    return answer;
  }


  static String topicOf(String place) {
    return place.substring(0, place.lastIndexOf(':'));
  }

  static int partitionOf(String place) {
    return Integer.parseInt(place.substring(place.lastIndexOf(':') + 1));
  }

  static String text(JsonNode step, String field) {
    return step.hasNonNull(field) ? step.get(field).asText() : null;
  }
}
