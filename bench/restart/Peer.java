// The program of program.ts on Kafka Streams: keeps the last value of each key, and says of each record that it was seen.
// Arguments: bootstrap, application id, state directory, instance id. Prints what it restored, as our process does.

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class Peer {
  private static final byte[] SEEN = new byte[] {1};

  static final class Keep implements Processor<byte[], byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]> store;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.store = context.getStateStore("last");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      store.put(org.apache.kafka.common.utils.Bytes.wrap(record.key()), record.value());
      context.forward(record.withValue(SEEN));
    }
  }

  public static void main(String[] arguments) throws Exception {
    Topology topology = new Topology();
    topology.addSource("in", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), arguments[4]);
    topology.addProcessor("keep", Keep::new, "in");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("last"), Serdes.Bytes(), Serdes.ByteArray()),
        "keep");
    topology.addSink("out", arguments[5], Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "keep");

    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), arguments[3]);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 45000);

    KafkaStreams streams = new KafkaStreams(topology, settings);
    streams.setGlobalStateRestoreListener(new StateRestoreListener() {
      @Override
      public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}

      @Override
      public void onBatchRestored(TopicPartition partition, String store, long to, long count) {}

      @Override
      public void onRestoreEnd(TopicPartition partition, String store, long count) {
        System.out.println("restored " + count);
      }
    });
    streams.setUncaughtExceptionHandler(error -> {
      System.out.println("failed " + error);
      return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
    Thread.sleep(Long.MAX_VALUE);
  }
}
