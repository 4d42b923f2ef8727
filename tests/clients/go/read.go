// Runs the recipe for confluent-kafka-go on the topics, and prints what it reads for check.py.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	// What the recipe uses, so that `go mod tidy` keeps it.
	_ "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	_ "github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	_ "github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	_ "github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
)

func main() {
	count, err := strconv.Atoi(os.Args[1])
	must(err)
	consumer, decode, err := reader()
	must(err)
	must(consumer.SubscribeTopics(os.Args[2:], nil))
	lines := json.NewEncoder(os.Stdout)
	for deadline := time.Now().Add(3 * time.Minute); count > 0; {
		if time.Now().After(deadline) {
			must(fmt.Errorf("%d records did not come", count))
		}
		message, err := consumer.ReadMessage(time.Second)
		if err != nil {
			continue
		}
		topic := *message.TopicPartition.Topic
		line := map[string]any{"topic": topic, "key": string(message.Key), "event": nil}
		if message.Value != nil {
			event := map[string]any{}
			must(decode.DeserializeInto(topic, message.Value, &event))
			line["event"] = event
		}
		must(lines.Encode(line))
		count--
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
