package source

import (
	"testing"

	"go.uber.org/goleak"

	"tidemark/deploy/testenv"
)

var (
	kafka4 = testenv.Shared{KafkaOptions: testenv.KafkaOptions{Version: testenv.Kafka4}}
	kafka3 = testenv.Shared{KafkaOptions: testenv.KafkaOptions{Version: testenv.Kafka3}}
)

var realClusters = []cluster{
	{"kafka4", func(t testing.TB) string { return kafka4.Kafka(t).Addr() }},
	{"kafka3", func(t testing.TB) string { return kafka3.Kafka(t).Addr() }},
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafka4.Around(kafka3.Around(m))) }
