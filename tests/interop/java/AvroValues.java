import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Values in Confluent's framing (a zero byte, the schema's id, Avro), with Avro's own reader and writer. */
final class AvroValues {
  private static final int FRAME_BYTES = 5;
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private AvroValues() {}

  /** What each value says, and the same written again: [[subject's record name, text, bytes], ...]. */
  static JsonNode readAndWrite(JsonNode asked) throws Exception {
    Map<Integer, Schema> schemas = new HashMap<>();
    ArrayNode rows = Peer.JSON.createArrayNode();
    for (JsonNode one : asked.get("values")) {
      ByteBuffer framed = ByteBuffer.wrap(one.binaryValue());
      if (framed.get() != 0) throw new IllegalArgumentException("not in Confluent's framing");
      int id = framed.getInt();
      if (!schemas.containsKey(id)) schemas.put(id, schema(asked.get("registry").asText(), id));
      Schema schema = schemas.get(id);
      BinaryDecoder decoder =
          DecoderFactory.get().binaryDecoder(framed.array(), FRAME_BYTES, framed.array().length - FRAME_BYTES, null);
      GenericRecord record = new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
      if (!decoder.isEnd()) throw new IllegalArgumentException("bytes behind the record");
      rows.addArray().add(schema.getFullName()).add(record.toString()).add(framed(id, schema, record));
    }
    return rows;
  }

  private static Schema schema(String registry, int id) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).timeout(Duration.ofSeconds(10)).build();
    String body = HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body();
    return new Schema.Parser().parse(Peer.JSON.readTree(body).get("schema").asText());
  }

  private static byte[] framed(int id, Schema schema, GenericRecord record) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(ByteBuffer.allocate(FRAME_BYTES).put((byte) 0).putInt(id).array());
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
    new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
    encoder.flush();
    return bytes.toByteArray();
  }
}
