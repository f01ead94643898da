import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** Group membership (the classic protocol) and offsets. */
final class GroupRequests {
  private final Play play;

  GroupRequests(Play play) {
    this.play = play;
  }

  /** Who asks: the member of the step with what the step says otherwise. */
  private record Asking(String group, String memberId, String instanceId, int generation, String protocol) {}

  private Asking asking(JsonNode step) {
    Play.Member member = step.has("as") ? play.members.getOrDefault(step.get("as").asText(), new Play.Member()) : new Play.Member();
    int generation = step.has("generationIs")
        ? step.get("generationIs").asInt()
        : member.generation + step.path("generation").asInt();
    return new Asking(
        step.has("group") ? play.own(step.get("group").asText()) : member.group,
        step.has("memberId") ? play.names.memberId(step.get("memberId").asText()) : member.memberId,
        step.has("instanceId") ? Play.text(step, "instanceId") : member.instanceId,
        generation,
        member.protocol);
  }

  JsonNode join(Wire wire, JsonNode step) throws Exception {
    String as = step.get("as").asText();
    Play.Member member = play.members.computeIfAbsent(as, absent -> new Play.Member());
    if (step.has("group")) member.group = play.own(step.get("group").asText());
    if (step.has("instanceId")) member.instanceId = Play.text(step, "instanceId");
    String memberId = step.has("memberId") ? play.names.memberId(step.get("memberId").asText()) : member.memberId;
    JoinGroupResponseData answer = joinOnce(wire, step, member, memberId);
    if (answer.errorCode() == Errors.MEMBER_ID_REQUIRED.code()) {
      member.memberId = answer.memberId();
      String name = play.names.bind(as, answer.memberId());
      if (step.path("once").asBoolean())
        return ((ObjectNode) Play.done(answer.errorCode())).put("member", name);
      answer = joinOnce(wire, step, member, answer.memberId());
    }
    if (answer.errorCode() != 0) return Play.done(answer.errorCode());
    member.memberId = answer.memberId();
    member.generation = answer.generationId();
    member.protocol = answer.protocolName();
    return joined(as, answer);
  }

  private JoinGroupResponseData joinOnce(Wire wire, JsonNode step, Play.Member member, String memberId) throws Exception {
    var request = new JoinGroupRequestData()
        .setGroupId(member.group)
        .setMemberId(memberId)
        .setGroupInstanceId(member.instanceId)
        .setSessionTimeoutMs(step.get("sessionMs").asInt())
        .setRebalanceTimeoutMs(step.get("rebalanceMs").asInt())
        .setProtocolType(step.get("protocolType").asText())
        .setReason("");
    for (JsonNode protocol : step.get("protocols"))
      request.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol()
          .setName(protocol.get(0).asText()).setMetadata(Names.embedded(protocol.get(1).asText())));
    return wire.call(ApiKeys.JOIN_GROUP, 9, request);
  }

  private JsonNode joined(String as, JoinGroupResponseData answer) {
    String me = play.names.bind(as, answer.memberId());
    ObjectNode said = Play.JSON.createObjectNode()
        .put("generation", answer.generationId())
        .put("protocol", answer.protocolName())
        .put("me", me)
        .put("leader", Names.member(answer.leader()));
    ArrayNode list = said.putArray("members");
    for (var one : answer.members())
      list.add(Names.member(one.memberId()) + " " + one.groupInstanceId() + " " + Names.extracted(one.metadata()));
    return answer.skipAssignment() ? said.put("skipAssignment", true) : said;
  }

  JsonNode sync(Wire wire, JsonNode step) throws Exception {
    Asking who = asking(step);
    var request = new SyncGroupRequestData()
        .setGroupId(who.group).setMemberId(who.memberId).setGroupInstanceId(who.instanceId)
        .setGenerationId(who.generation).setProtocolType("consumer").setProtocolName(who.protocol == null ? "range" : who.protocol);
    step.path("assignments").properties().forEach(entry -> request.assignments().add(
        new SyncGroupRequestData.SyncGroupRequestAssignment()
            .setMemberId(play.names.memberId("@" + entry.getKey()))
            .setAssignment(Names.embedded(entry.getValue().asText()))));
    SyncGroupResponseData answer = wire.call(ApiKeys.SYNC_GROUP, 5, request);
    if (answer.errorCode() != 0) return Play.done(answer.errorCode());
    return Play.JSON.createObjectNode().put("assignment", Names.extracted(answer.assignment()));
  }

  JsonNode heartbeat(Wire wire, JsonNode step) throws Exception {
    Asking who = asking(step);
    HeartbeatResponseData answer = wire.call(ApiKeys.HEARTBEAT, 4, new HeartbeatRequestData()
        .setGroupId(who.group).setMemberId(who.memberId).setGroupInstanceId(who.instanceId).setGenerationId(who.generation));
    return Play.done(answer.errorCode());
  }

  JsonNode leave(Wire wire, JsonNode step) throws Exception {
    Asking who = asking(step);
    LeaveGroupResponseData answer = wire.call(ApiKeys.LEAVE_GROUP, 5, new LeaveGroupRequestData()
        .setGroupId(who.group)
        .setMembers(List.of(new LeaveGroupRequestData.MemberIdentity()
            .setMemberId(who.memberId).setGroupInstanceId(who.instanceId))));
    if (answer.errorCode() != 0) return Play.done(answer.errorCode());
    return Play.done(answer.members().get(0).errorCode());
  }

  JsonNode commit(Wire wire, JsonNode step) throws Exception {
    Asking who = asking(step);
    var request = new OffsetCommitRequestData()
        .setGroupId(who.group).setMemberId(who.memberId).setGroupInstanceId(who.instanceId)
        .setGenerationIdOrMemberEpoch(who.generation);
    Map<String, OffsetCommitRequestData.OffsetCommitRequestTopic> topics = new LinkedHashMap<>();
    for (JsonNode offset : step.get("offsets")) {
      String place = offset.get(0).asText();
      var topic = topics.computeIfAbsent(play.own(Play.topicOf(place)), name -> {
        var made = new OffsetCommitRequestData.OffsetCommitRequestTopic().setName(name);
        request.topics().add(made);
        return made;
      });
      topic.partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition()
          .setPartitionIndex(Play.partitionOf(place))
          .setCommittedOffset(offset.get(1).asLong())
          .setCommittedMetadata(metadataOf(offset)));
    }
    OffsetCommitResponseData answer = wire.call(ApiKeys.OFFSET_COMMIT, 9, request);
    for (var topic : answer.topics())
      for (var partition : topic.partitions())
        if (partition.errorCode() != 0) return Play.done(partition.errorCode());
    return Play.done((short) 0);
  }

  /** The third of an offset: its metadata, or how long that is. */
  private static String metadataOf(JsonNode offset) {
    JsonNode metadata = offset.get(2);
    return metadata.isNumber() ? "m".repeat(metadata.asInt()) : metadata.asText();
  }

  JsonNode txnOffsets(Wire wire, JsonNode step) throws Exception {
    Play.Producer producer = play.producers.get(step.get("by").asText());
    Asking who = asking(step);
    var request = new TxnOffsetCommitRequestData()
        .setTransactionalId(step.has("transactionalId") ? play.own(Play.text(step, "transactionalId")) : producer.transactionalId)
        .setProducerId(step.has("identity") ? play.producers.get(step.get("identity").asText()).id : producer.id)
        .setProducerEpoch((short) (producer.epoch + step.path("epoch").asInt()))
        .setGroupId(who.group).setMemberId(who.memberId).setGroupInstanceId(who.instanceId).setGenerationId(who.generation);
    Map<String, TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic> topics = new LinkedHashMap<>();
    for (JsonNode offset : step.get("offsets")) {
      String place = offset.get(0).asText();
      var topic = topics.computeIfAbsent(play.own(Play.topicOf(place)), name -> {
        var made = new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic().setName(name);
        request.topics().add(made);
        return made;
      });
      topic.partitions().add(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition()
          .setPartitionIndex(Play.partitionOf(place))
          .setCommittedOffset(offset.get(1).asLong())
          .setCommittedMetadata(metadataOf(offset)));
    }
    TxnOffsetCommitResponseData answer = wire.call(ApiKeys.TXN_OFFSET_COMMIT, 5, request);
    for (var topic : answer.topics())
      for (var partition : topic.partitions())
        if (partition.errorCode() != 0) return Play.done(partition.errorCode());
    return Play.done((short) 0);
  }

  JsonNode committed(Wire wire, JsonNode step) throws Exception {
    var group = new OffsetFetchRequestData.OffsetFetchRequestGroup()
        .setGroupId(play.own(step.get("group").asText())).setTopics(new ArrayList<>());
    Map<String, OffsetFetchRequestData.OffsetFetchRequestTopics> topics = new LinkedHashMap<>();
    for (JsonNode asked : step.get("of"))
      topics.computeIfAbsent(play.own(Play.topicOf(asked.asText())), name -> {
        var made = new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(name).setPartitionIndexes(new ArrayList<>());
        group.topics().add(made);
        return made;
      }).partitionIndexes().add(Play.partitionOf(asked.asText()));
    OffsetFetchResponseData answer = wire.call(ApiKeys.OFFSET_FETCH, 9, new OffsetFetchRequestData()
        .setRequireStable(step.path("stable").asBoolean()).setGroups(List.of(group)));
    var said = answer.groups().get(0);
    if (said.errorCode() != 0) return Play.done(said.errorCode());
    ArrayNode offsets = Play.JSON.createArrayNode();
    for (JsonNode asked : step.get("of"))
      for (var topic : said.topics())
        for (var partition : topic.partitions()) {
          if (!topic.name().equals(play.own(Play.topicOf(asked.asText())))) continue;
          if (partition.partitionIndex() != Play.partitionOf(asked.asText())) continue;
          if (partition.errorCode() != 0) return Play.done(partition.errorCode());
          if (partition.committedOffset() < 0) offsets.addNull();
          else offsets.add(partition.committedOffset() + " " + shortened(partition.metadata()));
        }
    return Play.JSON.createObjectNode().set("offsets", offsets);
  }

  private static String shortened(String metadata) {
    return metadata.length() > 40 ? "<" + metadata.length() + ">" : metadata;
  }

  JsonNode describe(Wire wire, JsonNode step) throws Exception {
    DescribeGroupsResponseData answer = wire.call(ApiKeys.DESCRIBE_GROUPS, 5,
        new DescribeGroupsRequestData().setGroups(List.of(play.own(step.get("group").asText()))));
    var group = answer.groups().get(0);
    ObjectNode said = Play.JSON.createObjectNode().put("state", group.groupState());
    ArrayNode list = said.putArray("members");
    for (var member : group.members()) list.add(Names.member(member.memberId()) + " " + member.groupInstanceId());
    return said;
  }
}
