import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

/** What differs from run to run, by a name that does not: producer ids and member ids in the order they appear. */
final class Names {
  private static final String MARK = "\u0002";
  private final Map<Long, String> producers = new HashMap<>();
  private final Map<String, String> nameOfMember = new HashMap<>();
  private final Map<String, String> memberOfName = new HashMap<>();

  synchronized String producer(long id) {
    if (id < 0) return "-";
    return producers.computeIfAbsent(id, absent -> "p" + (producers.size() + 1));
  }

  /** The id that the coordinator gave to `as`: its own name the first time, `as~2` for its second id. */
  synchronized String bind(String as, String memberId) {
    String known = nameOfMember.get(memberId);
    if (known != null) return known;
    String name = as;
    for (int n = 2; memberOfName.containsKey(name); n++) name = as + "~" + n;
    nameOfMember.put(memberId, name);
    memberOfName.put(name, memberId);
    return name;
  }

  /** A place for the name, which may come with a later answer: `resolve` puts it there. */
  static String member(String memberId) {
    return memberId.isEmpty() ? "" : MARK + memberId + MARK;
  }

  /** The answers with names where `member` left places, members in the order of their names. */
  synchronized JsonNode resolve(JsonNode answer) {
    if (answer.isTextual()) return Play.JSON.getNodeFactory().textNode(resolve(answer.asText()));
    if (answer instanceof ArrayNode list) {
      for (int i = 0; i < list.size(); i++) list.set(i, resolve(list.get(i)));
    } else if (answer instanceof ObjectNode object) {
      for (var entry : object.properties()) {
        entry.setValue(resolve(entry.getValue()));
        if (entry.getKey().equals("members")) entry.setValue(sorted(entry.getValue()));
      }
    }
    return answer;
  }

  private String resolve(String text) {
    String[] parts = text.split(MARK, -1);
    for (int i = 1; i < parts.length; i += 2) parts[i] = nameOfMember.getOrDefault(parts[i], "?");
    return String.join("", parts);
  }

  private static JsonNode sorted(JsonNode members) {
    var names = new TreeSet<String>();
    members.forEach(member -> names.add(member.asText()));
    ArrayNode list = Play.JSON.createArrayNode();
    names.forEach(list::add);
    return list;
  }

  /** `@name` is the id behind a name, anything else is itself. */
  synchronized String memberId(String text) {
    if (!text.startsWith("@")) return text;
    String id = memberOfName.get(text.substring(1));
    if (id == null) throw new IllegalStateException("no member " + text);
    return id;
  }

  static String text(ByteBuffer bytes) {
    if (bytes == null) return "~";
    String text = StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
    return text.length() > 40 ? "<" + text.length() + ">" : text;
  }

  static byte[] bytes(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Metadata and assignments as Kafka's consumers encode them (version 0, no topics, the text as user data): a coordinator
   * reads what members of type `consumer` subscribe to.
   */
  static byte[] embedded(String text) {
    byte[] data = bytes(text);
    return ByteBuffer.allocate(10 + data.length).putShort((short) 0).putInt(0).putInt(data.length).put(data).array();
  }

  static String extracted(byte[] encoded) {
    return encoded.length < 10 ? "" : new String(encoded, 10, encoded.length - 10, StandardCharsets.UTF_8);
  }
}
