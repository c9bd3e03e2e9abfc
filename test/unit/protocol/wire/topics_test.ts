/** Topics: those that are written are read back, others are none of ours. */
import assert from "node:assert/strict";
import { agentTopics, orchestratorTopics, parseTopic } from "../../../../protocol/wire/topics.ts";

Deno.test("the topics of an agent read back as what they are", () => {
  const topics = agentTopics("logvend", "web-1");
  assert.equal(topics.command, "logvend/a/web-1/cmd");
  assert.deepEqual(parseTopic("logvend", topics.ack), { kind: "ack", host: "web-1" });
  assert.deepEqual(parseTopic("logvend", topics.state), { kind: "state", host: "web-1" });
  assert.deepEqual(parseTopic("logvend", topics.result("o-1", "r-1")), {
    kind: "result",
    host: "web-1",
    orchestrator: "o-1",
    request: "r-1",
  });
  assert.equal(parseTopic("logvend", topics.tail("o-1", "r-1"))?.kind, "tail");
  const { holdings, day } = topics;
  assert.deepEqual(parseTopic("logvend", holdings), { kind: "holdings", host: "web-1" });
  assert.deepEqual(parseTopic("logvend", day("o-1")), {
    kind: "day",
    host: "web-1",
    orchestrator: "o-1",
  });
});

Deno.test("the filters of an orchestrator match the topics of agents, result topics only its own", () => {
  const filters = orchestratorTopics("logvend", "o-1");
  const topics = agentTopics("logvend", "web-1");
  assert(isMatch(filters.acks, topics.ack));
  assert(isMatch(filters.states, topics.state));
  assert(isMatch(filters.results, topics.result("o-1", "r-1")));
  assert(!isMatch(filters.results, topics.result("o-2", "r-1")));
  assert(isMatch(filters.tails, topics.tail("o-1", "r-1")));
  assert(isMatch(filters.holdings, topics.holdings));
  assert(isMatch(filters.days, topics.day("o-1")));
  assert(!isMatch(filters.days, topics.day("o-2")));
  assert(!isMatch(filters.tails, topics.tail("o-2", "r-1")));
});

Deno.test("a topic that is none of ours is null", () => {
  const check = (topic: string) => assert.equal(parseTopic("logvend", topic), null, topic);
  check("");
  check("logvend");
  check("other/a/web-1/ack");
  check("logvend/a//ack");
  check("logvend/a/web-1/cmd");
  check("logvend/a/web-1/ack/more");
  check("logvend/a/web-1/res/o-1");
  check("logvend/a/web-1/res/o-1/r-1/more");
});

/** MQTT's `+`: one level, whatever it is. */
function isMatch(filter: string, topic: string): boolean {
  const levels = topic.split("/");
  const wanted = filter.split("/");
  return wanted.length === levels.length &&
    wanted.every((level, i) => level === "+" || level === levels[i]);
}
