/*
 * A Kafka cluster for tests: librdkafka's mock brokers on real ports, and a reader of one topic.
 * Writes "brokers HOST:PORT,…", then a line for each message: partition, key, value, between tabs.
 * Takes lines: "down N", "up N" (a broker), "fail N" (the next N requests of producers), and whatever
 * behind them; answers "did" and the line.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKERS 3
#define PARTITIONS 4

static void obey(rd_kafka_mock_cluster_t *cluster, const char *line) {
    int number = atoi(strchr(line, ' ') ? strchr(line, ' ') : "0");
    if (!strncmp(line, "down", 4)) rd_kafka_mock_broker_set_down(cluster, number);
    if (!strncmp(line, "up", 2)) rd_kafka_mock_broker_set_up(cluster, number);
    for (int i = 0; !strncmp(line, "fail", 4) && i < number; i++)
        rd_kafka_mock_push_request_errors(cluster, 0, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    printf("did %s", line);
    fflush(stdout);
}

static rd_kafka_t *new_reader(const char *brokers, const char *topic) {
    char error[512];
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    rd_kafka_conf_set(settings, "bootstrap.servers", brokers, error, sizeof error);
    rd_kafka_conf_set(settings, "group.id", "reader", error, sizeof error);
    rd_kafka_conf_set(settings, "log_level", "0", error, sizeof error);
    rd_kafka_conf_set(settings, "reconnect.backoff.max.ms", "200", error, sizeof error);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, settings, error, sizeof error);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, all);
    rd_kafka_topic_partition_list_destroy(all);
    return reader;
}

int main(int count, char **arguments) {
    const char *topic = count > 1 ? arguments[1] : "windows";
    char error[512], line[64];
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    rd_kafka_conf_set(settings, "log_level", "0", error, sizeof error);
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof error);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, BROKERS);
    rd_kafka_mock_topic_create(cluster, topic, PARTITIONS, BROKERS);
    for (int i = 0; i < PARTITIONS; i++) /* else by chance, perhaps one broker for all */
        rd_kafka_mock_partition_set_leader(cluster, topic, i, 1 + i % BROKERS);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    rd_kafka_t *reader = new_reader(brokers, topic);
    printf("brokers %s\n", brokers);
    fflush(stdout);
    setvbuf(stdin, NULL, _IONBF, 0); /* what is read already would not be polled for */
    struct pollfd input = {.fd = 0, .events = POLLIN};
    for (;;) {
        if (poll(&input, 1, 0) > 0) {
            if (!fgets(line, sizeof line, stdin)) return 0;
            obey(cluster, line);
        }
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 20);
        if (!message) continue;
        if (!message->err)
            printf("message\t%d\t%.*s\t%.*s\n", message->partition, (int)message->key_len,
                   (const char *)message->key, (int)message->len, (const char *)message->payload);
        fflush(stdout);
        rd_kafka_message_destroy(message);
    }
}
