import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/** Kafka's command-line tools, run here instead of in a process of their own, which would take a second each to start. */
final class Tools {
  private static final class Ended extends RuntimeException {
    private static final long serialVersionUID = 1;

    Ended(int code, String message) {
      super("ended with " + code + (message == null ? "" : ": " + message));
    }
  }

  private Tools() {}

  /** What the tool printed. */
  static JsonNode run(JsonNode asked) throws Exception {
    List<String> words = new ArrayList<>();
    asked.get("words").forEach((word) -> words.add(word.asText()));
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    Exit.setExitProcedure((code, message) -> {
      throw new Ended(code, message);
    });
    try {
      Class.forName(asked.get("main").asText())
          .getMethod("main", String[].class)
          .invoke(null, (Object) words.toArray(String[]::new));
    } catch (InvocationTargetException error) {
      if (!(error.getCause() instanceof Ended ended) || !ended.getMessage().equals("ended with 0"))
        throw new IllegalStateException(error.getCause() + " " + printed.toString(StandardCharsets.UTF_8));
    } finally {
      Exit.resetExitProcedure();
      System.setOut(before);
    }
    return TextNode.valueOf(printed.toString(StandardCharsets.UTF_8));
  }
}
