import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;

/** One connection: a request, then its answer. Nothing of Kafka's clients between a script and the broker. */
final class Wire implements AutoCloseable {
  private static final int ANSWER_WITHIN_MS = 40_000;
  private final Socket socket = new Socket();
  private final DataInputStream in;
  private final DataOutputStream out;
  private int correlation = 0;

  Wire(int port) throws IOException {
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress("127.0.0.1", port), 10_000);
    socket.setSoTimeout(ANSWER_WITHIN_MS);
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  /** @return the answer's data class, e.g. JoinGroupResponseData */
  @SuppressWarnings("unchecked")
  synchronized <T extends ApiMessage> T call(ApiKeys api, int version, ApiMessage body) throws IOException {
    RequestHeader header = new RequestHeader(api, (short) version, "conformance", ++correlation);
    ByteBuffer head = MessageUtil.toByteBufferAccessor(header.data(), header.headerVersion()).buffer();
    ByteBuffer data = MessageUtil.toByteBufferAccessor(body, (short) version).buffer();
    out.writeInt(head.remaining() + data.remaining());
    out.write(bytesOf(head));
    out.write(bytesOf(data));
    out.flush();
    byte[] answer = new byte[in.readInt()];
    in.readFully(answer);
    return (T) AbstractResponse.parseResponse(ByteBuffer.wrap(answer), header).data();
  }

  private static byte[] bytesOf(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
