import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Topics, producers, transactions, reading. Versions that still name topics by name, and transaction version 2. */
final class LogRequests {
  /** Long enough that the cleaner would have come. */
  private static final int NOTHING_TO_CLEAN_MS = 2_000;
  private final Play play;

  LogRequests(Play play) {
    this.play = play;
  }

  JsonNode createTopic(Wire wire, JsonNode step) throws Exception {
    var topic = new CreateTopicsRequestData.CreatableTopic()
        .setName(play.own(step.get("topic").asText()))
        .setNumPartitions(step.get("partitions").asInt())
        .setReplicationFactor((short) 1);
    step.path("config").properties().forEach(entry -> topic.configs().add(
        new CreateTopicsRequestData.CreatableTopicConfig().setName(entry.getKey()).setValue(entry.getValue().asText())));
    var request = new CreateTopicsRequestData().setTimeoutMs(30_000);
    request.topics().add(topic);
    CreateTopicsResponseData answer = wire.call(ApiKeys.CREATE_TOPICS, 7, request);
    short error = answer.topics().iterator().next().errorCode();
    if (error == 0) waitUntilLed(wire, step.get("topic").asText(), topic.numPartitions());
    return Play.done(error);
  }

  /** Metadata knows a partition before its leader takes requests: asked until every one answers. */
  private void waitUntilLed(Wire wire, String topic, int partitions) throws Exception {
    for (int partition = 0; partition < partitions; partition++) {
      ObjectNode ask = Play.JSON.createObjectNode().put("of", topic + ":" + partition).put("which", "latest");
      for (int i = 0; listOffsets(wire, ask).has("error"); i++) {
        if (i == 500) throw new IllegalStateException(topic + " has no leader");
        Thread.sleep(10);
      }
    }
  }

  private static MetadataRequestData metadataOf(List<String> topics) {
    var request = new MetadataRequestData().setAllowAutoTopicCreation(false).setTopics(new ArrayList<>());
    for (String topic : topics) request.topics().add(new MetadataRequestData.MetadataRequestTopic().setName(topic));
    return request;
  }

  JsonNode metadata(Wire wire, JsonNode step) throws Exception {
    List<String> asked = new ArrayList<>();
    step.get("topics").forEach(topic -> asked.add(play.own(topic.asText())));
    MetadataResponseData answer = wire.call(ApiKeys.METADATA, 12, metadataOf(asked));
    Map<String, Integer> known = new TreeMap<>();
    for (var topic : answer.topics())
      if (topic.errorCode() == 0) known.put(topic.name().substring(play.prefix.length()), topic.partitions().size());
    ObjectNode said = Play.JSON.createObjectNode();
    known.forEach(said::put);
    return said;
  }

  JsonNode initProducer(Wire wire, JsonNode step) throws Exception {
    String name = Play.text(step, "id");
    String id = name == null ? null : play.own(name);
    InitProducerIdResponseData answer = wire.call(ApiKeys.INIT_PRODUCER_ID, 5, new InitProducerIdRequestData()
        .setTransactionalId(id)
        .setTransactionTimeoutMs(step.get("timeoutMs").asInt())
        .setProducerId(-1)
        .setProducerEpoch((short) -1));
    if (answer.errorCode() != 0) return Play.done(answer.errorCode());
    var producer = new Play.Producer();
    producer.transactionalId = id;
    producer.id = answer.producerId();
    producer.epoch = answer.producerEpoch();
    play.producers.put(step.get("as").asText(), producer);
    return identity(answer.producerId(), answer.producerEpoch());
  }

  private ObjectNode identity(long id, short epoch) {
    return Play.JSON.createObjectNode().put("producer", play.names.producer(id)).put("epoch", epoch);
  }

  JsonNode produce(Wire wire, JsonNode step) throws Exception {
    Play.Producer producer = play.producers.get(step.get("by").asText());
    String id = step.has("transactionalId") ? Play.text(step, "transactionalId") : null;
    if (step.has("transactionalId")) id = id == null ? null : play.own(id);
    else id = producer.transactionalId;
    var request = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30_000).setTransactionalId(id);
    for (JsonNode batch : step.get("batches")) {
      String topic = play.own(Play.topicOf(batch.get("to").asText()));
      var data = request.topicData().find(topic, org.apache.kafka.common.Uuid.ZERO_UUID);
      if (data == null) {
        data = new ProduceRequestData.TopicProduceData().setName(topic);
        request.topicData().add(data);
      }
      data.partitionData().add(new ProduceRequestData.PartitionProduceData()
          .setIndex(Play.partitionOf(batch.get("to").asText()))
          .setRecords(batchOf(batch, producer)));
    }
    ProduceResponseData answer = wire.call(ApiKeys.PRODUCE, 12, request);
    ArrayNode said = Play.JSON.createArrayNode();
    for (JsonNode batch : step.get("batches")) said.add(produced(answer, batch, producer));
    return Play.JSON.createObjectNode().set("offsets", said);
  }

  /** The first offset, or the error. A batch with the sequence of its producer moves that on. */
  private JsonNode produced(ProduceResponseData answer, JsonNode batch, Play.Producer producer) {
    String place = batch.get("to").asText();
    for (var topic : answer.responses()) {
      if (!topic.name().equals(play.own(Play.topicOf(place)))) continue;
      for (var partition : topic.partitionResponses()) {
        if (partition.index() != Play.partitionOf(place)) continue;
        if (partition.errorCode() != 0)
          return Play.JSON.getNodeFactory().textNode(Errors.forCode(partition.errorCode()).name());
        if (!batch.has("sequence")) producer.sequences.merge(place, batch.get("records").size(), Integer::sum);
        return Play.JSON.getNodeFactory().numberNode(partition.baseOffset());
      }
    }
    return Play.JSON.getNodeFactory().textNode("NO_ANSWER");
  }

  private MemoryRecords batchOf(JsonNode batch, Play.Producer own) {
    Play.Producer producer = batch.has("identity") ? play.producers.get(batch.get("identity").asText()) : own;
    boolean plain = batch.path("plain").asBoolean();
    int sequence = batch.has("sequence")
        ? batch.get("sequence").asInt()
        : own.sequences.getOrDefault(batch.get("to").asText(), 0);
    boolean transactional = batch.has("transactional")
        ? batch.get("transactional").asBoolean()
        : producer.transactionalId != null;
    List<SimpleRecord> records = new ArrayList<>();
    for (JsonNode record : batch.get("records")) records.add(recordOf(record));
    MemoryRecords made = MemoryRecords.withRecords((byte) 2, 0L, Compression.NONE, TimestampType.CREATE_TIME,
        plain ? -1L : producer.id,
        plain ? (short) -1 : (short) (producer.epoch + batch.path("epoch").asInt()),
        plain ? -1 : sequence, -1, !plain && transactional, records.toArray(new SimpleRecord[0]));
    ByteBuffer bytes = made.buffer();
    if (batch.path("corrupt").asBoolean()) bytes.put(bytes.limit() - 1, (byte) (bytes.get(bytes.limit() - 1) ^ 0x55));
    return made;
  }

  private static SimpleRecord recordOf(JsonNode record) {
    List<Header> headers = new ArrayList<>();
    for (JsonNode header : record.path("headers"))
      headers.add(new RecordHeader(header.get(0).asText(), Names.bytes(header.get(1).asText())));
    String value = record.has("valueBytes") ? "x".repeat(record.get("valueBytes").asInt()) : Play.text(record, "value");
    return new SimpleRecord(record.get("timestamp").asLong(), Names.bytes(Play.text(record, "key")), Names.bytes(value),
        headers.toArray(new Header[0]));
  }

  JsonNode endTxn(Wire wire, JsonNode step) throws Exception {
    Play.Producer producer = play.producers.get(step.get("by").asText());
    Play.Producer identity = step.has("identity") ? play.producers.get(step.get("identity").asText()) : producer;
    EndTxnResponseData answer = wire.call(ApiKeys.END_TXN, 5, new EndTxnRequestData()
        .setTransactionalId(producer.transactionalId)
        .setProducerId(identity.id)
        .setProducerEpoch((short) (identity.epoch + step.path("epoch").asInt()))
        .setCommitted(step.get("outcome").asText().equals("commit")));
    if (answer.errorCode() != 0) return Play.done(answer.errorCode());
    if (!step.path("once").asBoolean()) waitUntilComplete(wire, producer.transactionalId);
    if (!step.path("keep").asBoolean()) {
      producer.id = answer.producerId();
      producer.epoch = answer.producerEpoch();
      producer.sequences.clear();
    }
    return identity(answer.producerId(), answer.producerEpoch());
  }

  /** EndTxn is answered when the decision is logged; markers follow. What a script reads next comes after them. */
  private void waitUntilComplete(Wire wire, String transactionalId) throws Exception {
    for (int i = 0; i < 1000; i++) {
      DescribeTransactionsResponseData answer = wire.call(ApiKeys.DESCRIBE_TRANSACTIONS, 0,
          new DescribeTransactionsRequestData().setTransactionalIds(List.of(transactionalId)));
      String state = answer.transactionStates().get(0).transactionState();
      if (!state.startsWith("Prepare")) return;
      Thread.sleep(10);
    }
    throw new IllegalStateException("markers are not written");
  }

  JsonNode fetch(Wire wire, JsonNode step) throws Exception {
    var partition = fetchPartition(wire, step.get("from").asText(), step.get("offset").asLong(),
        step.get("isolation").asText().equals("read_committed"), step.path("maxBytes").asInt(1 << 20),
        step.path("maxWaitMs").asInt(0));
    if (partition.errorCode() != 0) return Play.done(partition.errorCode());
    ObjectNode said = Play.JSON.createObjectNode();
    said.set("records", recordsOf(partition, step.get("offset").asLong()));
    var aborted = said.putArray("aborted");
    if (partition.abortedTransactions() != null)
      partition.abortedTransactions().stream()
          .sorted(Comparator.comparingLong(FetchResponseData.AbortedTransaction::firstOffset))
          .forEach(one -> aborted.add(one.firstOffset() + " " + play.names.producer(one.producerId())));
    return said.put("high", partition.highWatermark())
        .put("stable", partition.lastStableOffset())
        .put("start", partition.logStartOffset());
  }

  private FetchResponseData.PartitionData fetchPartition(Wire wire, String place, long offset, boolean committed,
      int maxBytes, int maxWaitMs) throws Exception {
    var partition = new FetchRequestData.FetchPartition()
        .setPartition(Play.partitionOf(place)).setFetchOffset(offset).setPartitionMaxBytes(maxBytes);
    FetchResponseData answer = wire.call(ApiKeys.FETCH, 12, new FetchRequestData()
        .setMaxWaitMs(maxWaitMs).setMinBytes(1).setMaxBytes(1 << 26)
        .setIsolationLevel((byte) (committed ? 1 : 0))
        .setTopics(List.of(new FetchRequestData.FetchTopic()
            .setTopic(play.own(Play.topicOf(place))).setPartitions(List.of(partition)))));
    if (answer.errorCode() != 0) throw new IllegalStateException(Errors.forCode(answer.errorCode()).name());
    return answer.responses().get(0).partitions().get(0);
  }

  /** Whole batches, in the form of `normal-form.ts`; what lies before the wanted offset is left out. */
  private ArrayNode recordsOf(FetchResponseData.PartitionData partition, long from) {
    ArrayNode said = Play.JSON.createArrayNode();
    for (RecordBatch batch : FetchResponse.recordsOrFail(partition).batches()) {
      if (batch.sizeInBytes() < 61) continue;
      String who = play.names.producer(batch.producerId()) + "/" + batch.producerEpoch();
      boolean any = false;
      for (org.apache.kafka.common.record.internal.Record record : batch) {
        any = true;
        if (record.offset() < from) continue;
        if (batch.isControlBatch()) said.add(record.offset() + " " + ControlRecordType.parse(record.key()) + " " + who);
        else said.add(record.offset() + " " + pair(record.key(), record.value()) + " @" + record.timestamp()
            + " " + who + "#" + batch.baseSequence() + (batch.isTransactional() ? " t" : "") + headers(record.headers()));
      }
      if (!any && batch.lastOffset() >= from) said.add(batch.lastOffset() + " EMPTY " + who);
    }
    return said;
  }

  private static String pair(ByteBuffer key, ByteBuffer value) {
    return Names.text(key) + "=" + Names.text(value);
  }

  private static String headers(Header[] headers) {
    StringBuilder text = new StringBuilder();
    for (Header header : headers)
      text.append(" ").append(header.key()).append(":").append(new String(header.value()));
    return text.toString();
  }

  /** What Kafka's own consumer delivers, and where it stands then. */
  JsonNode consume(JsonNode step) {
    var place = new TopicPartition(play.own(Play.topicOf(step.get("from").asText())),
        Play.partitionOf(step.get("from").asText()));
    String bytes = String.valueOf(step.path("maxBytes").asInt(1 << 20));
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", "127.0.0.1:" + play.port,
        "isolation.level", step.get("isolation").asText(),
        "max.partition.fetch.bytes", bytes,
        "fetch.max.bytes", bytes,
        "fetch.max.wait.ms", 100,
        "enable.auto.commit", false,
        "auto.offset.reset", "none");
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(place));
      consumer.seek(place, step.get("offset").asLong());
      long end = consumer.endOffsets(List.of(place)).get(place);
      ArrayNode records = Play.JSON.createArrayNode();
      long until = System.currentTimeMillis() + 20_000;
      do {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100)))
          records.add(record.offset() + " " + pair(wrap(record.key()), wrap(record.value())));
      } while (consumer.position(place) < end && System.currentTimeMillis() < until);
      ObjectNode said = Play.JSON.createObjectNode();
      said.set("records", records);
      return said.put("next", consumer.position(place));
    } catch (OffsetOutOfRangeException error) {
      return Play.done(Errors.OFFSET_OUT_OF_RANGE.code());
    }
  }

  private static ByteBuffer wrap(byte[] bytes) {
    return bytes == null ? null : ByteBuffer.wrap(bytes);
  }

  JsonNode listOffsets(Wire wire, JsonNode step) throws Exception {
    String place = step.get("of").asText();
    String which = step.get("which").asText();
    var partition = new ListOffsetsRequestData.ListOffsetsPartition()
        .setPartitionIndex(Play.partitionOf(place)).setTimestamp(which.equals("earliest") ? -2L : -1L);
    ListOffsetsResponseData answer = wire.call(ApiKeys.LIST_OFFSETS, 7, new ListOffsetsRequestData()
        .setReplicaId(-1)
        .setIsolationLevel((byte) (which.equals("stable") ? 1 : 0))
        .setTopics(List.of(new ListOffsetsRequestData.ListOffsetsTopic()
            .setName(play.own(Play.topicOf(place))).setPartitions(List.of(partition)))));
    var said = answer.topics().get(0).partitions().get(0);
    if (said.errorCode() != 0) return Play.done(said.errorCode());
    return Play.JSON.createObjectNode().put("offset", said.offset());
  }

  JsonNode deleteRecords(Wire wire, JsonNode step) throws Exception {
    String place = step.get("in").asText();
    var partition = new DeleteRecordsRequestData.DeleteRecordsPartition()
        .setPartitionIndex(Play.partitionOf(place)).setOffset(step.get("before").asLong());
    DeleteRecordsResponseData answer = wire.call(ApiKeys.DELETE_RECORDS, 2, new DeleteRecordsRequestData()
        .setTimeoutMs(30_000)
        .setTopics(List.of(new DeleteRecordsRequestData.DeleteRecordsTopic()
            .setName(play.own(Play.topicOf(place))).setPartitions(List.of(partition)))));
    return Play.done(answer.topics().iterator().next().partitions().iterator().next().errorCode());
  }

  /**
   * Waits until the cleaner has been over everything it may clean: the sealed segments that lie wholly below the last stable
   * offset. Its checkpoint is written after the cleaned segments are in place.
   */
  JsonNode compact(Wire wire, JsonNode step) throws Exception {
    String place = step.get("in").asText();
    String partition = play.own(Play.topicOf(place)) + "-" + Play.partitionOf(place);
    long end = cleanableEnd(partition, stableOffset(wire, place));
    long until = System.currentTimeMillis() + 60_000;
    if (end == 0) Thread.sleep(NOTHING_TO_CLEAN_MS);
    while (cleanedTo(partition) < end) {
      if (System.currentTimeMillis() > until) throw new IllegalStateException(partition + " is not cleaned");
      Thread.sleep(50);
    }
    return Play.JSON.nullNode();
  }

  /** The segment that holds the last stable offset is not cleaned, nor is the newest. */
  private long cleanableEnd(String partition, long stable) throws IOException {
    try (var files = Files.list(play.data.resolve(partition))) {
      return files.map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".log"))
          .mapToLong(name -> Long.parseLong(name.substring(0, name.length() - 4)))
          .filter(base -> base <= stable)
          .max().orElse(0);
    }
  }

  private long cleanedTo(String partition) throws IOException {
    Path checkpoint = play.data.resolve("cleaner-offset-checkpoint");
    if (!Files.exists(checkpoint)) return 0;
    String prefix = partition.substring(0, partition.lastIndexOf('-')) + " " + partition.substring(partition.lastIndexOf('-') + 1) + " ";
    return Files.readAllLines(checkpoint).stream()
        .filter(line -> line.startsWith(prefix))
        .mapToLong(line -> Long.parseLong(line.substring(prefix.length())))
        .findFirst().orElse(0);
  }

  private long stableOffset(Wire wire, String place) throws Exception {
    ObjectNode ask = Play.JSON.createObjectNode().put("of", place).put("which", "stable");
    return listOffsets(wire, ask).get("offset").asLong();
  }
}
